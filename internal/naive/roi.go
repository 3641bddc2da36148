package naive

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{"RoiAlign": roiAlign, "MaxRoiPool": maxRoiPool, "NonMaxSuppression": nonMaxSuppression})
}

// roiAlign is X [N,C,H,W], rois [R,4], batch_indices [R].
func roiAlign(c *call) []*value {
	x, rois, batch := c.in[0], c.in[1], c.in[2]
	bins := []int{c.int("output_height", 1), c.int("output_width", 1)}
	half := c.opset >= 16 && c.str("coordinate_transformation_mode", "half_pixel") == "half_pixel"
	scale, ratio := c.float("spatial_scale", 1), c.int("sampling_ratio", 0)
	h, w := x.shape[2], x.shape[3]
	out := zeros(x.d, slices.Concat(rois.shape[:1], x.shape[1:2], bins)...)
	each(out.shape, func(idx []int, p int) {
		k := idx[0]
		var start, step [2]float64 // of the points, y and x
		var count [2]int
		for a := range 2 {
			start[a] = rois.f[4*k+1-a] * scale
			size := rois.f[4*k+3-a]*scale - start[a]
			if half {
				start[a] -= 0.5
			} else {
				size = max(size, 1)
			}
			bin := size / float64(bins[a])
			if count[a] = ratio; ratio == 0 {
				count[a] = int(math.Ceil(bin))
			}
			start[a] += float64(idx[2+a]) * bin
			step[a] = bin / float64(count[a])
		}
		sum, best := 0.0, math.Inf(-1)
		for i := range count[0] {
			for j := range count[1] {
				y, u := start[0]+(float64(i)+0.5)*step[0], start[1]+(float64(j)+0.5)*step[1]
				if y < -1 || y > float64(h) || u < -1 || u > float64(w) {
					best = max(best, 0)
					continue
				}
				y, u = min(max(y, 0), float64(h-1)), min(max(u, 0), float64(w-1))
				y0, u0 := int(y), int(u)
				for a := range 2 {
					for b := range 2 {
						share := (1 - math.Abs(y-float64(y0+a))) * (1 - math.Abs(u-float64(u0+b)))
						v := share * x.f[pos(x.shape, []int{int(batch.i[k]), idx[1], min(y0+a, h-1), min(u0+b, w-1)})]
						sum += v
						best = max(best, v)
					}
				}
			}
		}
		switch {
		case count[0] <= 0 || count[1] <= 0:
		case c.str("mode", "avg") == "max":
			out.f[p] = best
		default:
			out.f[p] = sum / float64(count[0]*count[1])
		}
	})
	return one(out)
}

// maxRoiPool is X [N,C,H,W], rois [R,5].
func maxRoiPool(c *call) []*value {
	x, rois := c.in[0], c.in[1]
	scale, bins := c.float("spatial_scale", 1), c.ints("pooled_shape")
	out := zeros(x.d, slices.Concat(rois.shape[:1], x.shape[1:2], bins)...)
	each(out.shape, func(idx []int, p int) {
		roi := rois.f[5*idx[0]:]
		var lo, hi [2]int
		for a := range 2 {
			first, last := math.Round(roi[2-a]*scale), math.Round(roi[4-a]*scale)
			size, b := max(last-first+1, 1)/float64(bins[a]), float64(idx[2+a])
			lo[a] = max(0, int(first+math.Floor(b*size)))
			hi[a] = min(x.shape[2+a], int(first+math.Ceil((b+1)*size)))
		}
		best, some := 0.0, false
		for y := lo[0]; y < hi[0]; y++ {
			for u := lo[1]; u < hi[1]; u++ {
				if v := x.f[pos(x.shape, []int{int(roi[0]), idx[1], y, u})]; !some || v > best {
					best, some = v, true
				}
			}
		}
		out.f[p] = best
	})
	return one(out)
}

// nonMaxSuppression takes the best box that is left until there is none, and drops what overlaps it.
func nonMaxSuppression(c *call) []*value {
	boxes, scores := c.in[0], c.in[1]
	most, threshold, least := 0, 0.0, math.Inf(-1)
	if c.has(2) {
		most = int(c.in[2].i[0])
	}
	if c.has(3) {
		threshold = c.in[3].f[0]
	}
	if c.has(4) {
		least = c.in[4].f[0]
	}
	corners := func(b []float64) [4]float64 {
		if c.int("center_point_box", 0) != 0 {
			return [4]float64{b[1] - b[3]/2, b[0] - b[2]/2, b[1] + b[3]/2, b[0] + b[2]/2}
		}
		return [4]float64{min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])}
	}
	area := func(b [4]float64) float64 { return max(0, b[2]-b[0]) * max(0, b[3]-b[1]) }
	var rows []int
	n := boxes.shape[1]
	for b := range boxes.shape[0] {
		for class := range scores.shape[1] {
			left := map[int]bool{}
			for k := range n {
				left[k] = scores.f[(b*scores.shape[1]+class)*n+k] > least
			}
			for range most {
				best := -1
				for k := range n {
					if s := scores.f[(b*scores.shape[1]+class)*n:]; left[k] && (best < 0 || s[k] > s[best]) {
						best = k
					}
				}
				if best < 0 {
					break
				}
				rows = append(rows, b, class, best)
				p := corners(boxes.f[(b*n+best)*4:])
				for k := range n {
					q := corners(boxes.f[(b*n+k)*4:])
					both := area([4]float64{max(p[0], q[0]), max(p[1], q[1]), min(p[2], q[2]), min(p[3], q[3])})
					left[k] = left[k] && k != best && !(both > threshold*(area(p)+area(q)-both))
				}
			}
		}
	}
	out := zeros(tensor.Int64, len(rows)/3, 3)
	for i, r := range rows {
		out.i[i] = int64(r)
	}
	return one(out)
}
