package data_test

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
)

func ExampleOpen() {
	ds, err := data.Open("digits#test", data.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := ds.Example(0)
	fmt.Println(ds.Len(), e.ID, e.Label, e.X, err)
	// Output: 355 digits/33 5 uint8[1,8,8] <nil>
}

func ExampleBatches() {
	ds, err := data.Open("shapes?size=32&n=100#train", data.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	pre := data.Preprocess{Channels: "rgb", Mean: []float64{0.5}, Std: []float64{0.5}}
	flip, err := data.ParseAugment("flip")
	if err != nil {
		fmt.Println(err)
		return
	}
	options := data.BatchOptions{Preprocess: &pre, Augment: flip, Seed: 1}
	for epoch := range 2 {
		options.Epoch = epoch
		for b, err := range data.Batches(context.Background(), ds, data.Shuffled(ds.Len(), 1), 40, options) {
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println(epoch, b.X, len(b.Labels))
		}
	}
	// Output:
	// 0 float32[40,3,32,32] 40
	// 0 float32[40,3,32,32] 40
	// 0 float32[20,3,32,32] 20
	// 1 float32[40,3,32,32] 40
	// 1 float32[40,3,32,32] 40
	// 1 float32[20,3,32,32] 20
}

func ExamplePlanted() {
	ds, err := data.Open("shapes?n=50&noise=0.04", data.Options{})
	fmt.Println(data.Planted(ds), err)
	// Output:
	// [shapes/train/27 shapes/train/28 shapes/train/29] <nil>
}

func ExamplePreprocess_Set() {
	var p data.Preprocess
	for _, s := range [][2]string{{"image-size", "224"}, {"resize", "256"}, {"channels", "rgb"}, {"scale", "1/127.5"}, {"mean", "1"}} {
		if err := p.Set(s[0], s[1]); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(p)
	// Output: {"image_size":[224,224],"resize":256,"channels":"rgb","scale":0.00784313725490196,"mean":[1]}
}
