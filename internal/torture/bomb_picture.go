//go:build linux

package torture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

func valueInfo(name string, dims ...any) *onnxpb.ValueInfoProto {
	return onnx.ValueInfo(name, tensor.Float32, dims...)
}

// chunk is a chunk of a PNG file.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// pngOf is a PNG of one colour, of a depth and colour type, whose pixels are nearly no bytes.
func pngOf(w, h int, depth, kind byte, extra ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	head := binary.BigEndian.AppendUint32(nil, uint32(w))
	head = binary.BigEndian.AppendUint32(head, uint32(h))
	b.Write(chunk("IHDR", append(head, depth, kind, 0, 0, 0)))
	for _, e := range extra {
		b.Write(e)
	}
	if kind == 3 {
		b.Write(chunk("PLTE", []byte{1, 2, 3, 4, 5, 6}))
	}
	bits := int(depth) * map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
	var z bytes.Buffer
	d, _ := zlib.NewWriterLevel(&z, zlib.BestSpeed) // a level that there is
	_, _ = io.Copy(d, zeros(int64(h)*int64(1+(w*bits+7)/8)))
	d.Close()
	b.Write(chunk("IDAT", z.Bytes()))
	b.Write(chunk("IEND", nil))
	return b.Bytes()
}

// claim is a picture of 8 by 8 that says that it is n by n.
func claim(kind string, n int) []byte {
	var b bytes.Buffer
	small := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White})
	switch kind {
	case "png":
		b.Write(pngOf(8, 8, 8, 0))
		p := b.Bytes()
		binary.BigEndian.PutUint32(p[16:], uint32(n))
		binary.BigEndian.PutUint32(p[20:], uint32(n))
		binary.BigEndian.PutUint32(p[29:], crc32.ChecksumIEEE(p[12:29]))
	case "gif":
		_ = gif.Encode(&b, small, nil) // into memory
		p := b.Bytes()
		for _, at := range []int{6, 8} {
			binary.LittleEndian.PutUint16(p[at:], uint16(n))
		}
		if at := bytes.IndexByte(p[13:], ','); at >= 0 { // the frame
			binary.LittleEndian.PutUint16(p[13+at+5:], uint16(n))
			binary.LittleEndian.PutUint16(p[13+at+7:], uint16(n))
		}
	case "jpg":
		_ = jpeg.Encode(&b, small, nil) // into memory
		p := b.Bytes()
		if at := bytes.Index(p, []byte{0xff, 0xc0}); at >= 0 {
			binary.BigEndian.PutUint16(p[at+5:], uint16(n))
			binary.BigEndian.PutUint16(p[at+7:], uint16(n))
		}
	case "bmp":
		_ = bmp.Encode(&b, small) // into memory
		binary.LittleEndian.PutUint32(b.Bytes()[18:], uint32(n))
		binary.LittleEndian.PutUint32(b.Bytes()[22:], uint32(n))
	case "tiff":
		_ = tiff.Encode(&b, small, &tiff.Options{Compression: tiff.Deflate}) // into memory
		p := b.Bytes()
		at := int(binary.LittleEndian.Uint32(p[4:]))
		for i := range int(binary.LittleEndian.Uint16(p[at:])) {
			e := p[at+2+12*i:]
			if tag := binary.LittleEndian.Uint16(e); tag == 256 || tag == 257 || tag == 278 {
				binary.LittleEndian.PutUint16(e[2:], 4)
				binary.LittleEndian.PutUint32(e[8:], uint32(n))
			}
		}
	case "webp": // VP8L: 14 bits each
		w := uint32(min(n, 1<<14) - 1)
		bits := w | w<<14
		vp8 := append([]byte("VP8L\x0c\x00\x00\x00\x2f"), byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24), 0, 0, 0, 0, 0, 0, 0)
		b.WriteString("RIFF")
		b.Write(binary.LittleEndian.AppendUint32(nil, uint32(4+len(vp8))))
		b.WriteString("WEBP")
		b.Write(vp8)
	}
	return b.Bytes()
}

func init() {
	pixels67 := func(l *limits) { l.bytes = 3 << 29 }
	uses := []string{"run mlp.onnx p.PNG --channels gray -o out",
		"explain mlp.onnx p.PNG --channels gray -o out --force --method gradient", "data info imagefolder:f",
		"eval mlp.onnx --data imagefolder:f --channels gray"}
	both := func(t *trial, ext string, b []byte) {
		t.write("p."+ext, b)
		for _, c := range []string{"a", "b"} {
			t.write(filepath.Join("f", c, "1."+ext), b)
			t.write(filepath.Join("f", c, "2."+ext), pngOf(8, 8, 8, 0))
		}
	}
	with := func(ext string) (out []string) {
		for _, u := range uses {
			out = append(out, strings.ReplaceAll(u, "PNG", ext))
		}
		return out
	}
	for _, kind := range []string{"png", "gif", "jpg", "bmp", "tiff", "webp"} {
		addDataBomb(bomb{name: "picture-claims-" + kind, sizes: []int{8192, 60000, 1<<31 - 1}, commands: with(kind), limits: pixels67,
			make: func(t *trial, n int) { both(t, kind, claim(kind, n)) }})
	}
	for _, c := range []struct {
		name        string
		depth, kind byte
	}{{"gray1", 1, 0}, {"gray", 8, 0}, {"gray16", 16, 0}, {"rgb", 8, 2}, {"rgba16", 16, 6}, {"palette", 8, 3}} {
		addDataBomb(bomb{name: "picture-67-" + c.name, sizes: []int{2048, 8192}, commands: with("png"), limits: pixels67,
			make: func(t *trial, n int) {
				b := pngOf(n, n, c.depth, c.kind)
				both(t, "png", b)
			}})
		addDataBomb(bomb{name: "picture-flat-" + c.name, sizes: []int{1 << 16, 1 << 26}, commands: with("png"), limits: pixels67,
			make: func(t *trial, n int) { both(t, "png", pngOf(n, 1, c.depth, c.kind)) }})
	}
	addDataBomb(bomb{name: "picture-sixteen-on-8-threads", sizes: []int{2048, 8191}, limits: func(l *limits) {
		l.bytes, l.cpu = 3<<29,
			2*l.cpu
	},
		commands: []string{"eval mlp.onnx --data imagefolder:f --channels gray --threads 8",
			"finetune mlp.onnx --data imagefolder:f --channels gray --threads 8 --max-steps 1 -o out.onnx"},
		make: func(t *trial, n int) {
			b := pngOf(n, n, 8, 2)
			for i := range 16 {
				t.write(fmt.Sprintf("f/%c/%d.png", 'a'+i%2, i), b)
			}
		}})
	addDataBomb(bomb{name: "picture-chunk", sizes: counts(1<<20, 1<<28, 1<<31), commands: with("png"), make: func(t *trial, n int) {
		var z bytes.Buffer
		d, _ := zlib.NewWriterLevel(&z, zlib.BestSpeed) // a level that there is
		_, _ = io.Copy(d, zeros(int64(n)))
		d.Close()
		both(t, "png", pngOf(8, 8, 8, 2, chunk("iCCP", append([]byte("n\x00\x00"), z.Bytes()...)), chunk("zTXt", append([]byte("n\x00\x00"),
			z.Bytes()...)),
			chunk("iTXt", append([]byte("n\x00\x01\x00\x00\x00"), z.Bytes()...))))
	}})
	addDataBomb(bomb{name: "picture-frames", sizes: []int{10, 1000, 20000}, commands: with("gif"), make: func(t *trial, n int) {
		g := &gif.GIF{}
		f := image.NewPaletted(image.Rect(0, 0, 1000, 1000), color.Palette{color.Black, color.White})
		for range min(n, 20) {
			g.Image, g.Delay = append(g.Image, f), append(g.Delay, 1)
		}
		var b bytes.Buffer
		_ = gif.EncodeAll(&b, g) // into memory
		p := b.Bytes()
		at := bytes.Index(p, []byte{0x21, 0xf9})
		last := bytes.LastIndex(p, []byte{0x21, 0xf9})
		frame := p[last : len(p)-1]
		out := append([]byte(nil), p[:at]...)
		for range n {
			out = append(out, frame...)
		}
		both(t, "gif", append(out, 0x3b))
	}})
	addDataBomb(bomb{name: "folder-many", sizes: []int{100, 20000}, commands: []string{"data info imagefolder:f",
		"eval mlp.onnx --data imagefolder:f --channels gray", "data info images:f"}, make: func(t *trial, n int) {
		b := pngOf(8, 8, 8, 0)
		for i := range n {
			t.write(fmt.Sprintf("f/c%d/%d.png", i%2, i), b)
		}
	}})
	addDataBomb(bomb{name: "folder-deep", sizes: []int{10, 200}, commands: []string{"data info imagefolder:f", "data info images:f",
		"explain mlp.onnx f --channels gray -o out"}, make: func(t *trial, n int) {
		at := "f/a"
		for range n {
			at += "/d"
		}
		t.write(at+"/1.png", pngOf(8, 8, 8, 0))
		for _, l := range []string{"f/a/loop", "f/b"} { // circles
			_ = os.Symlink("..", filepath.Join(t.dir, l)) // where there are links
		}
	}})
}
