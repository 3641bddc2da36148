//go:build invariants

package ops_test

import "github.com/gtk-onnx/gtk/internal/parallel"

func init() { forks = parallel.Forks }
