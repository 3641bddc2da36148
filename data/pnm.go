package data

import (
	"bytes"
	"image"

	"github.com/gtk-onnx/gtk/internal/pnm"
	"github.com/gtk-onnx/gtk/tensor"
)

// pnmFile is a netpbm file.
type pnmFile struct{ pnm.File }

func parsePNM(file []byte) (pnmFile, error) {
	f, err := pnm.Parse(file)
	return pnmFile{f}, err
}

// decode is the picture, its values spread over 0..255, or over 0..65535 where white is more than 255.
func (p pnmFile) decode() (raster, error) {
	if err := p.Enough(); err != nil {
		return raster{}, err
	}
	var r raster
	var err error
	if p.White > 255 {
		r, err = rasterOfSamples[uint16](p, tensor.Uint16, 65535)
	} else {
		r, err = rasterOfSamples[uint8](p, tensor.Uint8, 255)
	}
	return r, err
}

func rasterOfSamples[T uint8 | uint16](p pnmFile, d tensor.DType, white int) (raster, error) {
	colours, n := p.Depth, p.Width*p.Height
	if p.Depth == 2 || p.Depth == 4 {
		colours--
	}
	r := raster{x: tensor.New(d, colours, p.Height, p.Width)}
	planes := make([][]T, p.Depth)
	for k := range colours {
		planes[k] = tensor.Data[T](r.x)[k*n : (k+1)*n]
	}
	if colours < p.Depth {
		r.alpha = tensor.New(d, p.Height, p.Width)
		planes[colours] = tensor.Data[T](r.alpha)
	}
	for i := range n {
		for k := range planes {
			v, err := p.Sample(i*p.Depth+k, i)
			if err != nil {
				return raster{}, err
			}
			planes[k][i] = T((v*white + p.White/2) / p.White)
		}
	}
	if r.dropOpaque(); r.alpha != nil && colours == 1 { // a picture with alpha has colours
		x, err := tensor.FromBytes(d, tensor.Shape{3, p.Height, p.Width}, bytes.Repeat(r.x.Bytes(), 3))
		return raster{x, r.alpha}, err
	}
	return r, nil
}

func (p pnmFile) config() image.Config { return image.Config{Width: p.Width, Height: p.Height} }
