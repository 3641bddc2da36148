package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"

	scans "github.com/gtk-onnx/gtk/internal/jpeg"
	account "github.com/gtk-onnx/gtk/internal/memory"
	scanlines "github.com/gtk-onnx/gtk/internal/png"
	"github.com/gtk-onnx/gtk/internal/regular"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// DecodeImage decodes a picture file (see the list of formats in docs/formats.md; of animations the first frame) and turns it upright as
// its orientation says. The kind of file is found by its content, whatever its name. The size that the file claims is compared with the
// limit before anything is decoded. name is for errors.
func DecodeImage(name string, file []byte, l Limits) (image.Image, error) {
	var t turn
	defer t.over()
	r, _, err := decodeRaster(&t, name, file, l)
	if err != nil {
		return nil, err
	}
	return r.image(), nil
}

// wholeFile is the size in bytes of a picture file that is read before it is known what its decoding needs. A larger one waits for its turn
// first, where it asks for some times its size.
const (
	wholeFile = 32 << 20
	timesFile = 3
	alone     = 384 << 20
)

// readPicture reads a picture file of any size, if it is one.
func readPicture(t *turn, path string, l Limits) ([]byte, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > l.bytes() {
		return nil, overLimit(path, "", fmt.Sprintf("a file of %d bytes", size), l)
	}
	if size > wholeFile {
		head := make([]byte, sniffed)
		if n, err := f.ReadAt(head, 0); err != nil {
			return nil, fmt.Errorf("data: %s: %w", path, err)
		} else if err := decodable(path, head[:n], kindOf(path, head[:n])); err != nil {
			return nil, err
		}
		if err := t.need(max(timesFile*size, min(alone, account.Left()/2)), "the picture "+path); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	if size > l.bytes() {
		return nil, fmt.Errorf("data: %s: %w", path, regular.ErrSize)
	}
	b, err := regular.All(f, size, l.bytes(), nil)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return b, nil
}

// loadRaster reads and decodes a picture file.
func loadRaster(t *turn, path string, l Limits) (raster, []remark, error) {
	b, err := readPicture(t, path, l)
	if err != nil {
		return raster{}, nil, err
	}
	return decodeRaster(t, path, b, l)
}

// decodeRaster decodes a picture file to planes that stand upright, and says what is remarkable about it.
func decodeRaster(t *turn, name string, file []byte, l Limits) (r raster, seen []remark, err error) {
	d, err := decodeFile(t, name, file, l)
	if err != nil {
		return raster{}, nil, err
	}
	if r = d.planes; r.x == nil {
		r = rasterOf(d.img)
	}
	if d.img = nil; d.grey {
		r = r.first()
	}
	d.collect()
	r.x, r.alpha = upright(r.x, d.turned), upright(r.alpha, d.turned)
	if r.alpha != nil {
		seen = append(seen, transparent)
	}
	if d.more {
		seen = append(seen, animated)
	}
	return r, seen, nil
}

// decoded is a picture as it is stored.
type decoded struct {
	img    image.Image // nil where the format gives planes
	planes raster
	kind   string
	grey   bool // red, green and blue are the same
	more   bool // pictures follow in the file
	turned int  // its orientation
	lossy  bool
	bits   uint8 // of a value of a png
	cost   cost
}

// collect lets go of what a large picture no longer needs, before the next step takes its place.
func (d *decoded) collect() {
	if d.cost.peak() >= large {
		runtime.GC()
	}
}

// decodable fails for a file that is no picture which is read; k is its kind.
func decodable(name string, file []byte, k *fileKind) error {
	switch {
	case len(file) == 0:
		return malformed(name, "", "remove the file or replace it", "the file is empty")
	case k == nil:
		return malformed(name, "", "remove the file or replace it; readable are "+readable, "the file is damaged or not a picture")
	case !k.read:
		return malformed(name, "", "convert it to png or jpeg", "%s pictures are not read", k.name)
	}
	return nil
}

// decodeFile decodes the first picture of a file.
func decodeFile(t *turn, name string, file []byte, l Limits) (d decoded, err error) {
	k := kindOf(name, file)
	if err := decodable(name, file, k); err != nil {
		return d, err
	}
	d.kind = k.name
	defer func() {
		if r := recover(); r != nil { // a decoder of ours or of others must not take the program down
			err = unreadable(name, "cannot read the picture", fmt.Errorf("%s decoder: %v", k.name, r))
		}
	}()
	decode, cfg, err := d.open(file)
	if err != nil {
		return d, unreadable(name, "cannot read the picture", err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return d, malformed(name, "", "remove the file", "picture of %d×%d pixels", cfg.Width, cfg.Height)
	}
	if cfg.Width > l.pixels()/cfg.Height {
		return d, malformed(name, "", "shrink the picture (in Go, Limits.Pixels raises the limit)",
			"picture of %d×%d pixels is over the limit of %d pixels", cfg.Width, cfg.Height, l.pixels())
	}
	if d.cost.least > int64(len(file)) {
		return d, malformed(name, "", "the file is damaged or cut short; remove it or replace it",
			"it claims %d×%d pixels, which its %d bytes cannot hold", cfg.Width, cfg.Height, len(file))
	}
	d.turned = orientation(d.kind, file)
	d.cost.file, d.cost.turned = int64(len(file)), d.turned > 1
	if err := t.need(d.cost.peak()-t.held, "the picture "+name); err != nil {
		return d, fmt.Errorf("data: %w", err)
	}
	file = nil
	if err := decode(); err != nil {
		return d, unreadable(name, "cannot decode the picture", err)
	}
	if d.planes.x == nil && d.img.Bounds().Empty() {
		return d, malformed(name, "", "remove the file", "empty picture")
	}
	decode = nil
	d.collect()
	return d, nil
}

// open reads the header of a picture of kind d.kind and gives the function that decodes it.
func (d *decoded) open(file []byte) (decode func() error, cfg image.Config, err error) {
	var whole func(io.Reader) (image.Image, error)
	var config func(io.Reader) (image.Config, error)
	keep := func(img image.Image, err error) error { d.img = img; return err }
	switch d.kind {
	case "png":
		d.grey = len(file) > 25 && file[25]&2 == 0 // colour type
		d.bits = file[min(24, len(file)-1)]
		for name, body := range pngChunks(file) {
			d.more = d.more || name == "acTL" && len(body) >= 4 && binary.BigEndian.Uint32(body) > 1
		}
		if rows, cfg, c, err := rowsOfPNG(file); !errors.Is(err, scanlines.ErrForm) {
			d.cost = c
			return func() (err error) { d.planes, err = rows(); return err }, cfg, err
		}
		d.cost = pngCost(file)
		whole, config = png.Decode, png.DecodeConfig
	case "jpeg":
		d.lossy, d.cost = true, jpegCost(file)
		if cfg, err = jpeg.DecodeConfig(bytes.NewReader(file)); err == nil {
			err = scans.CheckScans(file, cfg.Width, cfg.Height)
		}
		return func() error { return keep(jpeg.Decode(bytes.NewReader(file))) }, cfg, err
	case "bmp":
		d.cost = bmpCost(file)
		whole, config = bmp.Decode, bmp.DecodeConfig
	case "tiff":
		t, err := parseTIFF(file)
		if err != nil {
			return nil, cfg, err
		}
		d.more = t.more
		if cfg, err = tiff.DecodeConfig(bytes.NewReader(file)); err == nil {
			d.cost = t.cost(cfg)
		}
		return func() error { return keep(t.decode(file)) }, cfg, err
	case "gif":
		g := parseGIF(file)
		d.more = g.animated
		cfg, err = gif.DecodeConfig(bytes.NewReader(file))
		d.cost = gifCost(cfg, len(file))
		return func() error { return keep(g.decode(file, image.Rect(0, 0, cfg.Width, cfg.Height))) }, cfg, err
	case "webp":
		w, err := parseWebP(file)
		d.more = w.animated
		d.lossy = err == nil && !w.lossless
		d.cost = w.cost()
		return func() (err error) { d.planes, err = w.decode(); return err }, image.Config{Width: w.width, Height: w.height}, err
	default:
		p, err := parsePNM(file)
		d.cost = p.cost()
		return func() (err error) { d.planes, err = p.decode(); return err }, p.config(), err
	}
	cfg, err = config(bytes.NewReader(file))
	return func() error { return keep(whole(bytes.NewReader(file))) }, cfg, err
}

// unreadable is the error of a decoder: of a file that is broken, or of one that is whole and of a form that is not decoded.
func unreadable(name, problem string, err error) error {
	e := &FormatError{Path: name, Problem: problem, Err: err, Remedy: "the file is damaged or cut short; remove it or replace it"}
	var j jpeg.UnsupportedError
	var p png.UnsupportedError
	var t tiff.UnsupportedError
	if errors.As(err, &j) || errors.As(err, &p) || errors.As(err, &t) || errors.Is(err, bmp.ErrUnsupported) || errors.Is(err, errForm) {
		e.Remedy = "convert it to a png of 8 or 16 bits"
	}
	return e
}
