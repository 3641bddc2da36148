package data

import (
	"encoding/binary"
	"image"

	"github.com/gtk-onnx/gtk/internal/png"
	"github.com/gtk-onnx/gtk/tensor"
)

// rowsOfPNG is how a PNG file that can be read by rows becomes planes, with its cost. err is png.ErrForm where it cannot.
func rowsOfPNG(file []byte) (decode func() (raster, error), cfg image.Config, c cost, err error) {
	f, err := png.Open(file)
	if err != nil {
		return nil, cfg, c, err
	}
	c = pngCost(file)
	c.image = 0
	if f.Values == 2 {
		c.planes /= 2 // grey and alpha, not three colours and alpha
	}
	if f.Bits == 8 {
		decode = func() (raster, error) { return rasterOfRows(f, tensor.Uint8, func(row []byte) []uint8 { return row }) }
	} else {
		decode = func() (raster, error) {
			values := make([]uint16, f.Width*f.Values)
			return rasterOfRows(f, tensor.Uint16, func(row []byte) []uint16 {
				for i := range values {
					values[i] = binary.BigEndian.Uint16(row[2*i:])
				}
				return values
			})
		}
	}
	return decode, image.Config{Width: f.Width, Height: f.Height}, c, nil
}

// rasterOfRows is the picture of f; of gives the values of a row.
func rasterOfRows[T uint8 | uint16](f *png.File, d tensor.DType, of func(row []byte) []T) (raster, error) {
	w, h, n := f.Width, f.Height, f.Width*f.Height
	colours := 3
	if f.Values == 2 {
		colours = 1
	}
	r := raster{x: tensor.New(d, colours, h, w)}
	v := tensor.Data[T](r.x)
	var alphas []T // with the first pixel that is not opaque
	opacity := func(i int, alpha T) {
		if alphas == nil {
			r.alpha = tensor.New(d, h, w)
			alphas = tensor.Data[T](r.alpha)
			for k := range alphas {
				alphas[k] = ^T(0)
			}
		}
		alphas[i] = alpha
	}
	err := f.Rows(func(y int, stored []byte) {
		row, o := of(stored), y*w
		switch f.Values {
		case 2:
			grey := v[o:][:w]
			for x := range grey {
				grey[x] = row[2*x]
				if a := row[2*x+1]; a != ^T(0) {
					opacity(o+x, a)
				}
			}
		case 3:
			red, green, blue := v[o:][:w], v[n+o:][:w], v[2*n+o:][:w]
			for x := range red {
				red[x], green[x], blue[x] = row[3*x], row[3*x+1], row[3*x+2]
			}
			if f.Key != nil {
				for x := range red {
					if int(red[x]) == f.Key[0] && int(green[x]) == f.Key[1] && int(blue[x]) == f.Key[2] {
						opacity(o+x, 0)
					}
				}
			}
		default:
			red, green, blue := v[o:][:w], v[n+o:][:w], v[2*n+o:][:w]
			for x := range red {
				red[x], green[x], blue[x] = row[4*x], row[4*x+1], row[4*x+2]
				if a := row[4*x+3]; a != ^T(0) {
					opacity(o+x, a)
				}
			}
		}
	})
	return r, err
}
