package probe

import (
	"context"
	"math"
)

// CurvePoint is the loss at a distance along a direction, and what slope and curvature alone say it would be.
type CurvePoint struct{ Distance, Loss, Quadratic float64 }

// Of a curve there are so many points. One that is above its start after a few is begun again with steps of a fifth, as in the code of
// the paper; one that is so before the half of them, with steps that go just as far.
const (
	curvePoints = 20
	curveFew    = 3
	curveFiner  = 5
	curveAgain  = 6
)

// curve is the loss along v, of length 1, in equal steps away from here, up to the first point at which it is above that at the start.
// Where that is early, the steps were too long.
func (l *Landscape) curve(ctx context.Context, here *Place, v []float64, step, start, slope, sharpness float64) ([]CurvePoint, error) {
	defer here.Back()
	var points []CurvePoint
	for range curveAgain {
		points = []CurvePoint{{0, start, start}}
		for k := 1; k <= curvePoints; k++ {
			x := float64(k) * step
			loss, err := l.at(ctx, here, x, v)
			if err != nil {
				return nil, err
			}
			points = append(points, CurvePoint{x, loss, start + x*slope + x*x*sharpness/2})
			if !(loss <= start) {
				break
			}
		}
		switch n := len(points) - 1; {
		case n <= curveFew:
			step /= curveFiner
		case n < curvePoints/2:
			step *= float64(n) / curvePoints
		default:
			return points, nil
		}
	}
	return points, nil
}

// at is the loss at a distance along v. The weights stay there.
func (l *Landscape) at(ctx context.Context, here *Place, x float64, v []float64) (float64, error) {
	here.Go(x, v)
	return l.Loss(ctx)
}

// firstStep is the distance between the points of a curve: to twice the best step where there is one, and otherwise as far as the slope
// alone would halve the loss, or a thousandth of the length of the weights.
func firstStep(here *Place, m Measurement, loss float64) float64 {
	switch {
	case !math.IsNaN(m.BestStep):
		return m.BestStep / (curvePoints / 2)
	case m.Slope < 0 && loss > 0:
		return 0.5 * loss / (curvePoints * -m.Slope)
	}
	return 1e-3 * max(1, here.Norm()) / curvePoints
}
