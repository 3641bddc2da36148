//go:build !unix

package onnx

// scratch is memory for a file while it is decoded.
func scratch(n int) (b []byte, free func()) { return make([]byte, n), func() {} }
