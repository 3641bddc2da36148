//go:build !unix

package onnx

import (
	"errors"
	"os"
)

const canDup = false // what is open cannot be taken away

func dup(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
