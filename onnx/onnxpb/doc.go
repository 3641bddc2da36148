// Package onnxpb is the generated protobuf form of ONNX files. Package onnx reads and writes it.
//
// The proto package is gtk.onnx, so that other packages that register ONNX's own names can be linked into one program.
//
// gtk_onnx.pb.go is made by protoc and the protoc-gen-go of go.mod:
//
//	go build -o protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//	PATH=$PWD:$PATH go generate ./onnx/onnxpb
package onnxpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative gtk_onnx.proto
