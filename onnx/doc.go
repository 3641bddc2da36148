// Package onnx reads, checks and writes ONNX files without loss.
//
// A Model is the protobuf message of the file, all of it: names, order, metadata, documentation, and fields that this
// package does not know. Writing a model that was not changed gives the same message back, and the same bytes where
// the writer of the file had used the usual field order. Weights are replaced with SetInitializer, which keeps the way
// they are stored.
//
// Tensors are read in every form ONNX has: raw bytes (not copied), typed fields, strings, sparse, and ranges of files
// beside the model, which are read when asked for and cannot lie outside the model's folder.
//
// Files are not trusted. Nesting, and the memory a file would take when decoded, are measured before it is decoded;
// every tensor's size is compared with the data present before anything is allocated. Malformed input gives a
// FormatError, legal input that is not handled an UnsupportedError.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/IR.md and docs/ExternalData.md.
package onnx

// What this package knows of ONNX. Source: https://github.com/onnx/onnx/blob/main/docs/Versioning.md.
const (
	// LatestOpset is the newest version of the default operator set.
	LatestOpset = 27
	// MinIR and MaxIR are the IR versions of models; before 3 there were no operator sets, and files of then are read as of 3.
	MinIR, MaxIR = 3, 13
)
