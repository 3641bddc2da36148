package data

import "github.com/gtk-onnx/gtk/tensor"

// Options says how to read. The zero value reads everything with detection and default limits.
type Options struct {
	// Classes fixes the class list, usually the labels of a model: class names of the data are looked up in it, so that
	// a folder with three classes gets the indices that a 1000-class model has for them. Nil: the data decides.
	Classes []string
	// Task is "", "classification" or "regression": what the labels of csv: and the y of npz: are. "" decides by their values.
	Task string

	LabelColumn string   // csv: name or 0-based index; "" finds label, class, target or y, else the last column; "none" has no labels
	FileColumn  string   // csv: name or index of the column of picture files; "" finds file, filename, path or image
	Root        string   // csv: folder of the picture files; "" is the folder of the csv file
	GroupBy     []string // csv: columns to keep as groups, not features; text columns are always kept
	Header      string   // csv: "" detects, "true" or "false"

	AllowNonFinite bool // NaN and infinity in csv and npz are data, not errors
	Limits         Limits

	// TensorFile reads tensor files that this package does not know (.pb) for LoadImageOrTensor; nil refuses them.
	TensorFile func(path string) (*tensor.Tensor, error)

	// Alpha says what becomes of the alpha of pictures: "drop", "white" or "black" (the picture is laid on that ground); "" drops it and
	// notes it (see Notes). ?alpha= in a specification wins. A model that was trained with one of them has it in its Preprocess.
	Alpha string
	// OnBadSample is what becomes of examples that cannot be read: "error" (also ""), when they are asked for, or "skip": all are read once when
	// the data set is opened, on all processors, and those that fail are left out; see Skipped.
	OnBadSample string
}
