package models

import (
	_ "embed"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
)

// The models that gtk trained itself, with labels and preprocessing in their metadata. They were made by
//
//	gtk models new mlp --hidden 96 -o mlp.onnx
//	gtk finetune mlp.onnx --data digits#train --val digits#test --optimizer diffgrad --epochs 150 --augment crop=1 -o models/digits.onnx
//	gtk models new resnet8 --classes 8 --image-size 64 -o resnet8.onnx
//	gtk finetune resnet8.onnx --data "shapes?n=8000#train" --val shapes#test --optimizer diffgrad --lr 0.006 --epochs 14 \
//	  --bn train --augment flip -o models/shapes.onnx
var (
	//go:embed digits.onnx
	digitsModel []byte
	//go:embed shapes.onnx
	shapesModel []byte
)

func init() {
	const source = "trained by gtk finetune; the commands are in models/trained.go"
	builders.Register("digits-trained", trained("digits", digitsModel),
		"mlp trained on the built-in handwritten digits, [N,1,8,8], 10 classes", source)
	builders.Register("shapes-trained", trained("shapes", shapesModel), "resnet8 trained on the built-in shapes, [N,3,64,64], 8 classes",
		source)
}

// trained is the builder of an embedded model; it takes no options.
func trained(name string, file []byte) Builder {
	return Builder{Build: func(Options) (*onnx.Model, error) {
		m, err := onnx.Parse(file)
		if err != nil {
			return nil, fmt.Errorf("models: embedded %s: %w", name, err)
		}
		return m, nil
	}}
}
