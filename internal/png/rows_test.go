package png

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"
)

// fileOf is a PNG file of h rows of random bytes, each with its own filter, in IDAT chunks of part bytes.
func fileOf(r *rand.Rand, w, h, bits int, colour byte, key bool, part int) []byte {
	values := map[byte]int{2: 3, 4: 2, 6: 4}[colour]
	var raw bytes.Buffer
	z := zlib.NewWriter(&raw)
	row := make([]byte, 1+w*values*bits/8)
	for range h {
		for i := range row {
			row[i] = byte(r.Uint32())
			if r.IntN(4) == 0 {
				row[i] = 255
			}
		}
		row[0] = byte(r.IntN(5))
		z.Write(row)
	}
	z.Close()
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		at := len(out)
		out = append(append(out, name...), body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[at:]))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	chunk("IHDR", append(head, byte(bits), colour, 0, 0, 0))
	chunk("tEXt", []byte("a\x00b"))
	if key {
		chunk("tRNS", []byte{0, 255, 0, 255, 0, 255})
	}
	for b := raw.Bytes(); len(b) > 0; {
		n := min(part, len(b))
		chunk("IDAT", b[:n])
		b = b[n:]
	}
	chunk("tIME", []byte{7, 230, 1, 1, 1, 1, 1})
	chunk("IEND", nil)
	return out
}

// pixels are the pixels by rows as image/png has them.
func pixels(f *File) ([]color.NRGBA64, error) {
	var out []color.NRGBA64
	err := f.Rows(func(y int, row []byte) {
		for x := range f.Width {
			var v [4]uint16
			for k := range f.Values {
				if f.Bits == 8 {
					v[k] = uint16(row[x*f.Values+k]) * 257
				} else {
					v[k] = binary.BigEndian.Uint16(row[2*(x*f.Values+k):])
				}
			}
			switch f.Values {
			case 2:
				v = [4]uint16{v[0], v[0], v[0], v[1]}
			case 3:
				v[3] = 65535
				if f.Key != nil {
					unit := 1
					if f.Bits == 8 {
						unit = 257
					}
					if int(v[0]) == f.Key[0]*unit && int(v[1]) == f.Key[1]*unit && int(v[2]) == f.Key[2]*unit {
						v[3] = 0
					}
				}
			}
			out = append(out, color.NRGBA64{v[0], v[1], v[2], v[3]})
		}
	})
	return out, err
}

// same fails unless f is read as image/png reads it.
func same(t *testing.T, file []byte) (read bool) {
	t.Helper()
	if cfg, err := png.DecodeConfig(bytes.NewReader(file)); err == nil && cfg.Width > 1<<20/cfg.Height {
		return false
	}
	want, wantErr := png.Decode(bytes.NewReader(file))
	f, err := Open(file)
	if errors.Is(err, ErrForm) {
		return false
	}
	var got []color.NRGBA64
	if err == nil {
		got, err = pixels(f)
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, image/png says %v\n%q", err, wantErr, file)
	}
	if err != nil {
		return false
	}
	if b := want.Bounds(); b.Dx() != f.Width || b.Dy() != f.Height {
		t.Fatalf("%d×%d, want %v", f.Width, f.Height, b)
	}
	for i, c := range got {
		var w color.NRGBA64
		switch m := want.(type) { // not multiplied by alpha and back
		case *image.NRGBA64:
			w = m.NRGBA64At(i%f.Width, i/f.Width)
		case *image.NRGBA:
			n := m.NRGBAAt(i%f.Width, i/f.Width)
			w = color.NRGBA64{uint16(n.R) * 257, uint16(n.G) * 257, uint16(n.B) * 257, uint16(n.A) * 257}
		default:
			w = color.NRGBA64Model.Convert(want.At(i%f.Width, i/f.Width)).(color.NRGBA64)
		}
		if c != w {
			t.Fatalf("pixel %d is %v, image/png has %v", i, c, w)
		}
	}
	return true
}

// Every form, with every filter, in one chunk and in many, as image/png reads it.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, bits := range []int{8, 16} {
		for _, colour := range []byte{2, 4, 6} {
			for _, size := range [][2]int{{1, 1}, {7, 5}, {33, 40}} {
				for _, part := range []int{1, 50, 1 << 20} {
					if !same(t, fileOf(r, size[0], size[1], bits, colour, colour == 2 && size[0] == 7, part)) {
						t.Errorf("%d bits, colour type %d, %v is not read", bits, colour, size)
					}
				}
			}
		}
	}
	key := fileOf(r, 3, 3, 8, 2, true, 100)
	if f, err := Open(key); err != nil || *f.Key != [3]int{255, 255, 255} {
		t.Errorf("%v %v", f, err)
	}
}

// What is wrong with a file is found by both; forms that are left to image/png are told.
func TestOpenRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	good := fileOf(r, 9, 6, 8, 6, false, 40)
	for n := range good {
		same(t, good[:n])
	}
	count := 0
	for range 4000 {
		bits, colour := 8<<r.IntN(2), []byte{2, 4, 6}[r.IntN(3)]
		b := fileOf(r, 1+r.IntN(9), 1+r.IntN(6), bits, colour, colour == 2 && r.IntN(2) == 0, 1+r.IntN(60))
		for range 1 + r.IntN(2) {
			at := r.IntN(len(b))
			if r.IntN(2) == 0 {
				b[at] ^= 1 << r.IntN(8)
			} else { // cut a piece out, or put it twice
				to := min(len(b), at+r.IntN(20))
				b = append(append([]byte(nil), b[:to]...), b[at+r.IntN(2)*(to-at):]...)
			}
		}
		mend(b)
		if same(t, b) {
			count++
		}
	}
	if count < 150 {
		t.Errorf("only %d of the mutants are read", count)
	}
	var b bytes.Buffer
	for _, m := range []image.Image{image.NewGray(image.Rect(0, 0, 2, 2)), image.NewPaletted(image.Rect(0, 0, 2, 2),
		color.Palette{color.Black})} {
		b.Reset()
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(b.Bytes()); !errors.Is(err, ErrForm) {
			t.Errorf("%T: %v", m, err)
		}
	}
}

// mend makes the checksums of the chunks right, as far as they can be found.
func mend(b []byte) {
	for p := 8; p+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[p:]))
		if n > len(b)-p-12 {
			return
		}
		binary.BigEndian.PutUint32(b[p+8+n:], crc32.ChecksumIEEE(b[p+4:p+8+n]))
		p += 12 + n
	}
}

// FuzzRows compares with image/png on what the fuzzer finds.
func FuzzRows(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, colour := range []byte{2, 4, 6} {
		f.Add(fileOf(r, 5, 4, 8, colour, colour == 2, 30))
		f.Add(fileOf(r, 3, 2, 16, colour, false, 1000))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		mend(b)
		same(t, b)
	})
}
