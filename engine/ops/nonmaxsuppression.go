package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// NonMaxSuppression is, for each picture and class, the boxes with the best scores of which no two overlap by more than iou_threshold, at
// most max_output_boxes_per_class of them, best first: rows (picture, class, box) [K,3]. boxes [B,S,4] have two corners (y1,x1,y2,x2) or
// with center_point_box the middle, width and height; scores are [B,C,S]. Only scores above score_threshold count.
//
// Source: https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
var NonMaxSuppression = new(graph.Spec)

type nmsAttrs struct {
	Center bool `onnx:"center_point_box,default=0"`
}

func init() {
	float := []tensor.DType{tensor.Float32}
	define(NonMaxSuppression, graph.Def[nmsAttrs]{
		Name: "NonMaxSuppression", Since: []int{10, 11}, Doc: "https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html",
		In: []graph.Formal{
			{Name: "boxes", NoGrad: true, Types: float}, {Name: "scores", NoGrad: true, Types: float},
			{Name: "max_output_boxes_per_class", Optional: true, NoGrad: true, Types: int64s},
			{Name: "iou_threshold", Optional: true, NoGrad: true, Types: float},
			{Name: "score_threshold", Optional: true, NoGrad: true, Types: float},
		},
		Out:   []graph.Formal{{Name: "selected_indices", NoGrad: true}},
		Types: outType[nmsAttrs](tensor.Int64),
		Infer: func(_ *nmsAttrs, c *graph.InferCtx) error {
			boxes, scores := c.Shape(0), c.Shape(1)
			if len(boxes) != 3 || boxes[2] != 4 || len(scores) != 3 || scores[0] != boxes[0] || scores[2] != boxes[1] {
				return fmt.Errorf("boxes has shape %v and scores %v, want [B,S,4] and [B,C,S]", boxes, scores)
			}
			for i := 2; i < len(c.In); i++ {
				if c.Has(i) && c.Shape(i).Len() != 1 {
					return fmt.Errorf("%s has shape %v, want one number", c.Node.Op.In[i].Name, c.Shape(i))
				}
			}
			return graph.ErrAtRun
		},
		Run: func(a *nmsAttrs, c *graph.RunCtx) error {
			most, overlap := int64(0), float32(0)
			if c.Has(2) {
				most = c.In[2].I64()[0]
			}
			if c.Has(3) {
				overlap = c.In[3].F32()[0]
			}
			if !(overlap >= 0 && overlap <= 1) {
				return fmt.Errorf("iou_threshold is %g, want 0 to 1", overlap)
			}
			b, n, classes := c.In[0].Dim(0), c.In[0].Dim(1), c.In[1].Dim(1)
			var rows []int64
			for i := range b * classes {
				if most <= 0 {
					break
				}
				kept, err := a.suppress(c, c.In[0].F32()[i/classes*n*4:][:n*4], c.In[1].F32()[i*n:][:n], most, overlap)
				if err != nil {
					return err
				}
				if err := c.Budget(8 * (len(rows) + 3*len(kept))); err != nil {
					return err
				}
				for _, k := range kept {
					rows = append(rows, int64(i/classes), int64(i%classes), int64(k))
				}
			}
			out, err := c.Alloc(0, tensor.Int64, len(rows)/3, 3)
			if err != nil {
				return err
			}
			copy(out.I64(), rows)
			return nil
		},
	})
}

// suppress are the boxes that stay, best first; of equal scores the first box is the better.
func (a *nmsAttrs) suppress(c *graph.RunCtx, boxes, scores []float32, most int64, overlap float32) ([]int, error) {
	var order []int
	for k, s := range scores {
		if !c.Has(4) || s > c.In[4].F32()[0] {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case scores[i] > scores[j]:
			return -1
		case scores[i] < scores[j]:
			return 1
		}
		return 0
	})
	var kept []int
	var there []box
	for _, k := range order {
		if err := c.Context.Err(); err != nil {
			return nil, err
		}
		if int64(len(kept)) >= most {
			break
		}
		q := a.box(boxes[4*k : 4*k+4])
		if !slices.ContainsFunc(there, func(p box) bool { return p.overlap(q) > overlap }) {
			kept, there = append(kept, k), append(there, q)
		}
	}
	return kept, nil
}

// box is from (y1,x1) to (y2,x2).
type box struct{ y1, x1, y2, x2 float32 }

func (a *nmsAttrs) box(b []float32) box {
	if a.Center {
		x, y, w, h := b[0], b[1], b[2]/2, b[3]/2
		return box{y - h, x - w, y + h, x + w}
	}
	return box{min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])}
}

// overlap is the intersection over the union, 0 where a box is empty.
func (p box) overlap(q box) float32 {
	h, w := min(p.y2, q.y2)-max(p.y1, q.y1), min(p.x2, q.x2)-max(p.x1, q.x1)
	one, two := (p.y2-p.y1)*(p.x2-p.x1), (q.y2-q.y1)*(q.x2-q.x1)
	if !(h > 0 && w > 0 && one > 0 && two > 0) {
		return 0
	}
	return h * w / (one + two - h*w)
}
