//go:build !noruntimes

package main

import _ "github.com/gtk-onnx/gtk/interop/runtimes" // gtk verify --runtime
