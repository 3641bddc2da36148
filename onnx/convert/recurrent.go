package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Up to version 6 output 0 is there only where an attribute asks for it.
func init() {
	for _, op := range []string{"GRU", "LSTM", "RNN"} {
		register(op, 7, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if _, ok := number(n, "output_sequence", 0); !ok {
				return nil, errors.New("attribute output_sequence is taken from the call of the function, and went with version 7")
			}
			drop(n, "output_sequence")
			return keep(n), nil
		}})
	}
}
