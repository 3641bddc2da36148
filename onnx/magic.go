package onnx

import (
	"bytes"
	"strings"
)

// notONNX recognises files that are often given for a model and says what they are and what to do; "" when b may be
// ONNX. No valid model starts like any of them.
func notONNX(b []byte) string {
	has := func(off int, magic string) bool {
		return len(b) >= off+len(magic) && string(b[off:off+len(magic)]) == magic
	}
	const export = "export the model to ONNX first"
	text := strings.ToLower(string(bytes.TrimLeft(b[:min(len(b), 256)], "\ufeff \t\r\n")))
	switch {
	case len(b) == 0:
		return "the file is empty"
	case has(0, "version https://git-lfs"):
		return "this is a Git LFS pointer, not the model itself: run git lfs pull in the repository it comes from"
	case strings.HasPrefix(text, "<!doctype"), strings.HasPrefix(text, "<html"):
		return "this is an HTML page, not a model: the download gave a web page; fetch the raw file"
	case strings.HasPrefix(text, "<?xml"):
		return "this is an XML file (OpenVINO?), not a model: " + export
	case strings.HasPrefix(text, "<ir_version"), strings.HasPrefix(text, "ir_version:"):
		return "this is ONNX in text form: convert it to the binary form first"
	case strings.HasPrefix(text, "{"):
		return "this is a JSON file, not a model: " + export
	case has(0, "PK\x03\x04"):
		if head := b[:min(len(b), 4096)]; bytes.Contains(head, []byte("data.pkl")) || bytes.Contains(head, []byte("/byteorder")) {
			return "this is a PyTorch checkpoint (zip with a pickle): load it in PyTorch and use torch.onnx.export"
		}
		return "this is a zip archive: unpack it and give the .onnx file inside"
	case has(0, "\x1f\x8b"):
		return "this is a gzip file: unpack it first (gzip -d)"
	case has(0, "\xfd7zXZ\x00"):
		return "this is an xz file: unpack it first (xz -d)"
	case has(0, "\x28\xb5\x2f\xfd"):
		return "this is a zstd file: unpack it first (zstd -d)"
	case has(257, "ustar"):
		return "this is a tar archive: unpack it and give the .onnx file inside"
	case len(b) >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5:
		return "this is a Python pickle (an old PyTorch checkpoint?): load it in PyTorch and use torch.onnx.export"
	case has(0, "\x89HDF\r\n"):
		return "this is an HDF5 file (Keras?): convert it with tf2onnx first"
	case has(4, "TFL3"):
		return "this is a TensorFlow Lite model: convert it with tf2onnx first"
	case has(4, "ORTM"):
		return "this is a model in the format of ONNX Runtime (.ort): give the .onnx it was made from"
	case has(8, "{\""):
		return "this is a safetensors file, weights without a graph: " + export
	case has(0, "\x93NUMPY"):
		return "this is a NumPy array, not a model"
	}
	return ""
}
