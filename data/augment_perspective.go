package data

import (
	"fmt"
	"math"
)

func init() {
	registerAugmentation("perspective", func() Augmentation {
		return &perspective{Distortion: 0.5, Interpolation: "bilinear", P: 0.5}
	}, "seen from another side: each corner is moved inwards",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomPerspective.html")
}

type perspective struct {
	Distortion    float64 `opt:"distortion" doc:"how far corners may move, as a share of half a side"`
	Interpolation string  `opt:"interpolation" doc:"nearest or bilinear"`
	Fill          int     `opt:"fill" doc:"value beyond the border, 0 to 255"`
	P             float64 `opt:"p" doc:"probability"`
}

func (a *perspective) short(v string) error { return shortP(&a.Distortion, v) }

func (a *perspective) check() error {
	if !(a.Distortion >= 0 && a.Distortion <= 1) {
		return fmt.Errorf("distortion=%v: want a share from 0 to 1", a.Distortion)
	}
	return warps(a.Interpolation, a.Fill, a.P)
}

func (a *perspective) apply(r random, s *scene) error {
	h, w := s.size()
	if r.float() >= a.P || h < 2 || w < 2 {
		return nil
	}
	dx, dy := int(a.Distortion*float64(w/2)), int(a.Distortion*float64(h/2))
	near := func(d int) float64 { return float64(r.intn(d + 1)) }
	far := func(d, n int) float64 { return float64(n - d - 1 + r.intn(d+1)) }
	to := [4][2]float64{{near(dx), near(dy)}, {far(dx, w), near(dy)}, {far(dx, w), far(dy, h)}, {near(dx), far(dy, h)}}
	x, y := float64(w-1), float64(h-1)
	m, ok := between(to, [4][2]float64{{0, 0}, {x, 0}, {x, y}, {0, y}})
	if ok { // corners on one line have no picture
		bilinear, _ := smooth(a.Interpolation)
		s.warp(m, bilinear, uint8(a.Fill))
	}
	return nil
}

// between is the perspective that takes each point of to from the same one of from; ok is false when there is none.
func between(to, from [4][2]float64) (m warp, ok bool) {
	var a [8][9]float64
	for i := range 4 {
		x, y, u, v := to[i][0], to[i][1], from[i][0], from[i][1]
		a[2*i] = [9]float64{x, y, 1, 0, 0, 0, -u * x, -u * y, u}
		a[2*i+1] = [9]float64{0, 0, 0, x, y, 1, -v * x, -v * y, v}
	}
	for k := range 8 { // Gauss with pivots
		top := k
		for i := k; i < 8; i++ {
			if math.Abs(a[i][k]) > math.Abs(a[top][k]) {
				top = i
			}
		}
		if a[k], a[top] = a[top], a[k]; math.Abs(a[k][k]) < 1e-9 {
			return m, false
		}
		for i := range 8 {
			if i == k {
				continue
			}
			f := a[i][k] / a[k][k]
			for j := k; j < 9; j++ {
				a[i][j] -= float64(f * a[k][j])
			}
		}
	}
	for k := range m {
		m[k] = a[k][8] / a[k][k]
	}
	return m, true
}
