package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Version 8 has an axis of examples before that of the trips, and their lengths.
func init() {
	no := func(*conv, *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		return nil, errors.New("version 8 goes through each example of a batch for itself, later versions know no batch")
	}
	register("Scan", 9, rule{no, no})
}
