package tokens

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// factor is a part of an extent: the tokens of a stretch of the model, or a fixed number.
type factor struct {
	n   int  // as the file has it
	tok bool // it counts tokens
	seg int  // of them: after so many attention layers
	off int  // of them: that many first ones are left out
}

// layout is what the axes of a value are made of, outermost factors first. An axis without factors has extent 1.
type layout [][]factor

// plain is the layout of a value in which no tokens are known.
func plain(s tensor.Shape) layout {
	l := make(layout, len(s))
	for i, n := range s {
		if n != 1 {
			l[i] = []factor{{n: n}}
		}
	}
	return l
}

// extent is the product of the factors.
func extent(fs []factor) int {
	n := 1
	for _, f := range fs {
		n *= f.n
	}
	return n
}

// tokens are the factors of tokens.
func tokens(fs []factor) (out []factor) {
	for _, f := range fs {
		if f.tok {
			out = append(out, f)
		}
	}
	return out
}

// all are the factors of tokens of all axes.
func (l layout) all() (out []factor) {
	for _, fs := range l {
		out = append(out, tokens(fs)...)
	}
	return out
}

// axis is the only axis that is the tokens and nothing else, -1 where there is none or are several.
func (l layout) axis() int {
	found := -1
	for i, fs := range l {
		if len(tokens(fs)) == 0 {
			continue
		}
		if found >= 0 || len(fs) != 1 {
			return -1
		}
		found = i
	}
	return found
}

// in is l with its tokens in segment seg.
func (l layout) in(seg int) layout {
	out := make(layout, len(l))
	for i, fs := range l {
		out[i] = slices.Clone(fs)
		for k := range out[i] {
			if out[i][k].tok {
				out[i][k].seg = seg
			}
		}
	}
	return out
}

func (l layout) equal(m layout) bool {
	return slices.EqualFunc(l, m, func(a, b []factor) bool { return slices.Equal(a, b) })
}

// regroup is l reshaped to extents s. Tokens are never divided.
func (l layout) regroup(s tensor.Shape) (layout, error) {
	var fs []factor
	for _, axis := range l {
		for _, f := range axis {
			if f.n != 1 || f.tok {
				fs = append(fs, f)
			}
		}
	}
	out := make(layout, len(s))
	for i, n := range s {
		for n > 1 {
			if len(fs) == 0 {
				return nil, fmt.Errorf("it makes shape %v of another number of elements", s)
			}
			switch f := fs[0]; {
			case n%f.n == 0:
				out[i] = append(out[i], f)
				n /= f.n
				fs = fs[1:]
			case f.tok:
				return nil, fmt.Errorf("it divides the %d tokens of a picture into groups (windows or a grid)", f.n)
			case f.n%n == 0:
				out[i] = append(out[i], factor{n: n})
				fs[0].n /= n
				n = 1
			default:
				return nil, fmt.Errorf("it mixes axes in shape %v", s)
			}
		}
	}
	for i := range out {
		out[i] = joined(out[i])
	}
	return out, nil
}

// joined is fs with neighbours as one factor that are neither tokens nor the batch.
func joined(fs []factor) []factor {
	var out []factor
	for _, f := range fs {
		if k := len(out) - 1; k >= 0 && !f.tok && !out[k].tok && f.n%batchSize != 0 && out[k].n%batchSize != 0 {
			out[k].n *= f.n
		} else {
			out = append(out, f)
		}
	}
	return out
}
