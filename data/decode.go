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
	"io/fs"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// DecodeImage decodes a picture file (see the list of formats in docs/formats.md; of animations the first frame) and turns it upright as
// its orientation says. The kind of file is found by its content, whatever its name. The size that the file claims is compared with the
// limit before anything is decoded. name is for errors.
func DecodeImage(name string, file []byte, l Limits) (image.Image, error) {
	r, _, err := decodeRaster(name, file, l)
	if err != nil {
		return nil, err
	}
	return r.image(), nil
}

// decodeRaster decodes a picture file to planes that stand upright, and says what is remarkable about it.
func decodeRaster(name string, file []byte, l Limits) (r raster, seen []remark, err error) {
	d, err := decodeFile(name, file, l)
	if err != nil {
		return raster{}, nil, err
	}
	r = rasterOf(d.img)
	if d.grey {
		r = r.first()
	}
	o := orientation(d.kind, file)
	r.x, r.alpha = upright(r.x, o), upright(r.alpha, o)
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
	img  image.Image
	kind string
	grey bool // red, green and blue are the same
	more bool // pictures follow in the file
}

// decodeFile decodes the first picture of a file.
func decodeFile(name string, file []byte, l Limits) (d decoded, err error) {
	k := kindOf(name, file)
	switch {
	case len(file) == 0:
		return d, malformed(name, "", "remove the file or replace it", "the file is empty")
	case k == nil:
		return d, malformed(name, "", "remove the file or replace it; readable are "+readable, "the file is damaged or not a picture")
	case !k.read:
		return d, malformed(name, "", "convert it to png or jpeg", "%s pictures are not read", k.name)
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
		return d, malformed(name, "", "shrink the picture or raise the limit", "picture of %d×%d pixels is over the limit of %d pixels",
			cfg.Width, cfg.Height, l.pixels())
	}
	if d.img, err = decode(); err != nil {
		return d, unreadable(name, "cannot decode the picture", err)
	}
	if d.img.Bounds().Empty() {
		return d, malformed(name, "", "remove the file", "empty picture")
	}
	return d, nil
}

// open reads the size of a picture of kind d.kind and gives the function that decodes it.
func (d *decoded) open(file []byte) (decode func() (image.Image, error), cfg image.Config, err error) {
	var whole func(io.Reader) (image.Image, error)
	var config func(io.Reader) (image.Config, error)
	switch d.kind {
	case "png":
		d.grey = len(file) > 25 && file[25]&2 == 0 // colour type
		for name, body := range pngChunks(file) {
			d.more = d.more || name == "acTL" && len(body) >= 4 && binary.BigEndian.Uint32(body) > 1
		}
		whole, config = png.Decode, png.DecodeConfig
	case "jpeg":
		whole, config = jpeg.Decode, jpeg.DecodeConfig
	case "bmp":
		whole, config = bmp.Decode, bmp.DecodeConfig
	case "tiff":
		t, err := parseTIFF(file)
		if err != nil {
			return nil, cfg, err
		}
		d.more = t.more
		cfg, err = tiff.DecodeConfig(bytes.NewReader(file))
		return func() (image.Image, error) { return t.decode(file) }, cfg, err
	case "gif":
		g := parseGIF(file)
		d.more = g.animated
		cfg, err = gif.DecodeConfig(bytes.NewReader(file))
		return func() (image.Image, error) { return g.decode(file, image.Rect(0, 0, cfg.Width, cfg.Height)) }, cfg, err
	case "webp":
		w, err := parseWebP(file)
		d.more = w.animated
		return w.decode, image.Config{Width: w.width, Height: w.height}, err
	}
	if whole == nil {
		p, err := parsePNM(file)
		return p.image, p.config(), err
	}
	cfg, err = config(bytes.NewReader(file))
	return func() (image.Image, error) { return whole(bytes.NewReader(file)) }, cfg, err
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

// readFile reads a whole file no larger than the limit.
func readFile(path string, l Limits) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("data: %w", &fs.PathError{Op: "read", Path: path, Err: errors.New("is a folder")})
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("data: %w", &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")})
	}
	b, err := readAtMost(f, l.bytes())
	if errors.Is(err, errTooLarge) {
		return nil, malformed(path, "", "raise the limit or split the data", "file is over the limit of %d bytes", l.bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return b, nil
}

var errTooLarge = errors.New("over the size limit")

// readAtMost reads r to its end, or fails with errTooLarge after limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, limit))
	if err != nil {
		return nil, err
	}
	if n == limit {
		switch m, err := io.ReadFull(r, make([]byte, 1)); {
		case m > 0:
			return nil, errTooLarge
		case !errors.Is(err, io.EOF):
			return nil, err
		}
	}
	return buf.Bytes(), nil
}
