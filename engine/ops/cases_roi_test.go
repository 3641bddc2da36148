package ops_test

import "github.com/gtk-onnx/gtk/tensor"

func init() {
	rois := floatsTensor(3, 4, 0.3, 1.1, 4.6, 3.9, 1.2, 0.4, 2.1, 2.6, -1.7, -0.3, 5.8, 6.4)
	align := func(name string, opset int, kv ...any) {
		register(opCase{op: "RoiAlign", name: name, opset: opset, attrs: is(kv...), whole: true,
			in: []arg{wg(distinct, 2, 2, 5, 6), given(rois), ids(1, 0, 1)}})
	}
	align("", 0, "output_height", 2, "output_width", 3)
	align("ratio", 0, "output_height", 2, "output_width", 2, "sampling_ratio", 2, "spatial_scale", 0.7)
	align("corner", 0, "coordinate_transformation_mode", "output_half_pixel", "output_height", 3)
	align("max", 0, "mode", "max", "output_height", 2, "output_width", 2, "sampling_ratio", 2)
	align("max of all", 0, "mode", "max")
	align("", 10, "output_height", 2, "output_width", 2, "sampling_ratio", 1, "spatial_scale", 0.5)
	register(
		opCase{op: "RoiAlign", name: "one row", in: []arg{w(1, 1, 1, 4), given(floatsTensor(1, 4, 0.2, 0.1, 2.7, 0.6)), ids(0)},
			attrs: is("output_width", 2), whole: true},
		opCase{op: "RoiAlign", name: "none", whole: true,
			in: []arg{w(1, 2, 3, 3), given(tensor.New(tensor.Float32, 0, 4)), given(tensor.New(tensor.Int64, 0))}},
		opCase{op: "RoiAlign", name: "turned over",
			in: []arg{w(1, 1, 3, 3), given(floatsTensor(1, 4, 2.2, 1.9, 0.3, 0.6)), ids(0)}, whole: true},

		opCase{op: "MaxRoiPool", attrs: is("pooled_shape", ints(2, 3)), whole: true,
			in: []arg{wg(distinct, 2, 2, 5, 6), given(floatsTensor(3, 5, 1, 0, 1, 4, 3, 0, 1, 2, 2, 2, 1, -3, 4, 9, 4))}},
		opCase{op: "MaxRoiPool", name: "scale", opset: 1, attrs: is("pooled_shape", ints(2, 2), "spatial_scale", 0.5), whole: true,
			in: []arg{wg(distinct, 1, 2, 4, 4), given(floatsTensor(2, 5, 0, 0, 1, 7, 3, 0, 9, 9, 9, 9))}},
	)

	for _, mode := range []string{"avg", "max"} {
		register(opCase{op: "RoiAlignTake", name: mode, domain: "gtk", whole: true,
			attrs: is("mode", mode, "output_height", 2, "sampling_ratio", 2),
			in:    []arg{w(2, 2, 5, 6), given(rois), ids(1, 0, 1), wg(distinct, 2, 2, 5, 6).noGrad()}})
	}
	register(opCase{op: "MaxRoiPoolGather", domain: "gtk", whole: true,
		in: []arg{w(1, 2, 2, 3), given(tensor.From([]int64{0, 5, -1, 11, 6, 6}, 3, 2, 1, 1))}})

	boxes := given(floatsTensor3(1, 6, 4, 0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101))
	scores := given(floatsTensor3(1, 2, 6, 0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.2, 0.2, 0.9, 0.1, 0.4, 0.4))
	nms := func(name string, opset int, center int, in ...arg) {
		register(opCase{op: "NonMaxSuppression", name: name, opset: opset, attrs: is("center_point_box", center), in: in, values: true})
	}
	nms("", 0, 0, boxes, scores, scalarID(3), floatsOf0(0.5), floatsOf0(0.15))
	nms("no thresholds", 0, 0, boxes, scores, ids(4))
	nms("few", 10, 0, boxes, scores, ids(1), floatsOf(0.5), floatsOf(0))
	nms("none", 0, 0, boxes, scores)
	nms("center", 0, 1, given(floatsTensor3(1, 3, 4, 0.5, 0.5, 1, 1, 0.5, 0.6, 1, 1, 0.5, 10.5, 1, 1)),
		given(floatsTensor3(1, 1, 3, 0.5, 0.9, 0.1)), ids(3),
		floatsOf(0.3))
}

func floatsTensor(rows, cols int, v ...float32) *tensor.Tensor { return tensor.From(v, rows, cols) }

func floatsTensor3(n, rows, cols int, v ...float32) *tensor.Tensor {
	return tensor.From(v, n, rows, cols)
}
