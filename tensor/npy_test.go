package tensor

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// npyFile is an NPY file with the given header dictionary, as version 1.0.
func npyFile(head string, data []byte) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	return append(append(b, head...), data...)
}

func header(descr string, fortran bool, shape string) string {
	f := "False"
	if fortran {
		f = "True"
	}
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, f, shape)
}

func TestNPYRoundTrip(t *testing.T) {
	base := make([]int64, 24)
	for i := range base {
		base[i] = int64(i%2) + int64(i/3)
	}
	for d := Float32; d < numDTypes; d++ {
		for _, shape := range [][]int{{}, {0}, {1}, {24}, {2, 3, 4}, {0, 5}, {1, 1, 1, 1, 24}} {
			n := Shape(shape).Len()
			x := mustConvert(t, From(base[:n], shape...), d)
			var buf bytes.Buffer
			err := WriteNPY(&buf, x)
			if npyDescr[d] == "" && d != String {
				if err == nil {
					t.Fatalf("%v: written, but NumPy has no such type", d)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			file := slices.Clone(buf.Bytes())
			if end := 10 + int(binary.LittleEndian.Uint16(file[8:])); end%64 != 0 || file[end-1] != '\n' {
				t.Fatalf("%v: header ends at %d with %q", x, end, file[end-1])
			}
			got, err := ReadNPY(iotest.OneByteReader(bytes.NewReader(file)))
			if err != nil {
				t.Fatalf("%v: %v", x, err)
			}
			if !Equal(got, x) {
				t.Fatalf("%v: %v, want %v", x, Format(got), Format(x))
			}
			for cut := range len(file) - 1 { // every shorter file is an error
				if _, err := ReadNPY(bytes.NewReader(file[:cut])); !errors.Is(err, ErrNPY) || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%v cut at %d: %v", x, cut, err)
				}
			}
		}
	}
}

// The header text of the format: what numpy.save writes for float32 zeros of shape (1, 16, 12).
func TestNPYHeaderBytes(t *testing.T) {
	var buf bytes.Buffer
	if err := WriteNPY(&buf, New(Float32, 1, 16, 12)); err != nil {
		t.Fatal(err)
	}
	want := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 16, 12), }"
	want += strings.Repeat(" ", 127-len(want)) + "\n"
	if got := string(buf.Bytes()[:128]); got != want || buf.Len() != 128+4*192 {
		t.Errorf("%q, want %q", got, want)
	}
	for shape, text := range map[string]string{"": "()", "3": "(3,)"} {
		x := New(Int8)
		if shape != "" {
			x = New(Int8, 3)
		}
		buf.Reset()
		if err := WriteNPY(&buf, x); err != nil || !strings.Contains(buf.String(), "'shape': "+text+",") {
			t.Errorf("%v %q", err, buf.String())
		}
	}
}

func TestReadNPYForms(t *testing.T) {
	f4 := func(order binary.ByteOrder, v ...float32) []byte {
		var b bytes.Buffer
		if err := binary.Write(&b, order, v); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	want := From([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	v1 := npyFile(header("<f4", false, "(2, 3)"), f4(binary.LittleEndian, 1, 2, 3, 4, 5, 6))
	long := func(major byte) []byte {
		h := header("<f4", false, "(2, 3)")
		b := append([]byte("\x93NUMPY"), major, 0, byte(len(h)), 0, 0, 0)
		return append(append(b, h...), f4(binary.LittleEndian, 1, 2, 3, 4, 5, 6)...)
	}
	for name, file := range map[string][]byte{
		"version 1": v1, "version 2": long(2), "version 3": long(3),
		"big-endian":     npyFile(header(">f4", false, "(2, 3)"), f4(binary.BigEndian, 1, 2, 3, 4, 5, 6)),
		"native":         npyFile(header("=f4", false, "(2, 3)"), f4(binary.LittleEndian, 1, 2, 3, 4, 5, 6)),
		"fortran":        npyFile(header("<f4", true, "(2, 3)"), f4(binary.LittleEndian, 1, 4, 2, 5, 3, 6)),
		"fortran big":    npyFile(header(">f4", true, "(2, 3)"), f4(binary.BigEndian, 1, 4, 2, 5, 3, 6)),
		"python 2":       npyFile(header("<f4", false, "(2L, 3L)"), f4(binary.LittleEndian, 1, 2, 3, 4, 5, 6)),
		"other order":    npyFile(`{"shape":(2,3),"fortran_order":False,"descr":"<f4"}`, f4(binary.LittleEndian, 1, 2, 3, 4, 5, 6)),
		"data after end": append(slices.Clone(v1), 1, 2, 3),
	} {
		got, err := ReadNPY(bytes.NewReader(file))
		if err != nil || !Equal(got, want) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	// Three axes in Fortran order, and a complex big-endian scalar whose halves swap apart.
	data := make([]byte, 24)
	want3 := New(Uint8, 2, 3, 4)
	for i := range 2 {
		for j := range 3 {
			for k := range 4 {
				data[i+2*j+6*k] = byte(100*i + 10*j + k)
				want3.raw[12*i+4*j+k] = byte(100*i + 10*j + k)
			}
		}
	}
	if got, err := ReadNPY(bytes.NewReader(npyFile(header("|u1", true, "(2, 3, 4)"), data))); err != nil || !Equal(got, want3) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := ReadNPY(bytes.NewReader(npyFile(header(">c8", false, "()"), f4(binary.BigEndian, 1, 2)))); err != nil ||
		got.At() != complex64(complex(1, 2)) {
		t.Errorf("%v %v", got, err)
	}
	// Bool bytes become 0 or 1.
	if got, err := ReadNPY(bytes.NewReader(npyFile(header("|b1", false, "(3,)"), []byte{0, 1, 9}))); err != nil ||
		string(got.raw) != "\x00\x01\x01" {
		t.Errorf("%v %v", got, err)
	}
	// Strings.
	for head, data := range map[string]string{
		header("|S3", false, "(2,)"): "ab\x00\xc3\xa9\x00",
		header("<U2", false, "(2,)"): "a\x00\x00\x00b\x00\x00\x00\xe9\x00\x00\x00\x00\x00\x00\x00",
		header(">U2", false, "(2,)"): "\x00\x00\x00a\x00\x00\x00b\x00\x00\x00\xe9\x00\x00\x00\x00",
	} {
		if got, err := ReadNPY(bytes.NewReader(npyFile(head, []byte(data)))); err != nil ||
			!slices.Equal(got.Strings(), []string{"ab", "é"}) {
			t.Errorf("%q: %v %v", head, got, err)
		}
	}
}

// hostile is headers that must be refused, with little said about memory.
var hostile = map[string]string{
	"negative":      header("<f4", false, "(-1,)"),
	"overflow":      header("<f4", false, "(4294967296, 4294967296, 4)"),
	"beyond int":    header("<f4", false, "(99999999999999999999,)"),
	"huge":          header("<f8", false, "(1000000000000,)"),
	"huge fortran":  header("<f8", true, "(1000000, 1000000)"),
	"axes":          header("|u1", false, "("+strings.Repeat("1,", 65)+")"),
	"empty strings": header("|S0", false, "(1000000000,)"),
	"wide strings":  header("<U268435456", false, "(1000000000000,)"),
	"wider strings": header("<U99999999999", false, "(1,)"),
	"object":        header("|O", false, "(1,)"),
	"void":          header("|V2", false, "(1,)"),
	"date":          header("<M8[ns]", false, "(1,)"),
	"long double":   header("<f16", false, "(1,)"),
	"no type":       header("", false, "(1,)"),
	"structured":    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
	"not a dict":    "['descr']",
	"no shape":      "{'descr': '<f4', 'fortran_order': False}",
	"twice":         "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
	"unknown key":   "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}",
	"trailing":      "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x",
	"bool":          "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
	"escape":        `{'descr': '<\x66 4', 'fortran_order': False, 'shape': ()}`,
	"open":          "{'descr': '<f4",
	"missing comma": "{'descr': '<f4' 'fortran_order': False, 'shape': ()}",
	"shape text":    "{'descr': '<f4', 'fortran_order': False, 'shape': (a)}",
	"shape no end":  "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
}

func TestReadNPYHostile(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, head := range hostile {
		_, err := ReadNPY(bytes.NewReader(npyFile(head, make([]byte, 64))))
		if !errors.Is(err, ErrNPY) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The length of the header is bounded too.
	if _, err := ReadNPY(strings.NewReader("\x93NUMPY\x02\x00\xff\xff\xff\xff")); !errors.Is(err, ErrNPY) {
		t.Error(err)
	}
	for _, s := range []string{"", "\x93NUMPX\x01\x00\x00\x00", "\x93NUMPY\x04\x00\x00\x00\x00\x00", "\x93NUMPY\x01\x01\x00\x00"} {
		if _, err := ReadNPY(strings.NewReader(s)); !errors.Is(err, ErrNPY) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := ReadNPY(bytes.NewReader(npyFile(header("<U1", false, "(1,)"), []byte{0, 0, 0x11, 0}))); !errors.Is(err, ErrNPY) {
		t.Errorf("no Unicode: %v", err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("hostile headers made %d bytes of allocation", used)
	}
}

// An array larger than the first allocation arrives whole from a reader of unknown size.
func TestReadNPYGrows(t *testing.T) {
	x := New(Float32, 3, 1<<18+7)
	for i := range x.F32() {
		x.F32()[i] = float32(i)
	}
	var buf bytes.Buffer
	if err := WriteNPY(&buf, x); err != nil {
		t.Fatal(err)
	}
	got, err := ReadNPY(iotest.HalfReader(&buf))
	if err != nil || !Equal(got, x) {
		t.Fatalf("%v %v", got, err)
	}
}

func TestWriteNPYStringsRefused(t *testing.T) {
	for _, s := range []string{"\xff", "a\x00"} {
		if err := WriteNPY(io.Discard, FromStrings([]string{s}, 1)); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
	r, w := io.Pipe()
	r.CloseWithError(io.ErrClosedPipe)
	if err := WriteNPY(w, New(Float32)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func npzFile(t testing.TB, arrays ...Named) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := WriteNPZ(&buf, arrays); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func readNPZ(b []byte, lim Limits) ([]Named, error) {
	return ReadNPZ(bytes.NewReader(b), int64(len(b)), lim)
}

func TestNPZRoundTrip(t *testing.T) {
	in := []Named{{"z", From([]float32{1, 2}, 2)}, {"layer1/conv.weight", From([]int64{3}, 1, 1)},
		{"a", FromStrings([]string{"é", ""}, 2)}}
	file := npzFile(t, in...)
	if !bytes.Equal(file, npzFile(t, in...)) {
		t.Error("two archives of the same arrays differ")
	}
	out, err := readNPZ(file, Limits{})
	if err != nil || len(out) != len(in) {
		t.Fatal(out, err)
	}
	for i := range in {
		if out[i].Name != in[i].Name || !Equal(out[i].Tensor, in[i].Tensor) {
			t.Errorf("%v", out[i])
		}
	}
	for _, bad := range [][]Named{{{"", in[0].Tensor}}, {in[0], in[0]}, {{"b", New(BFloat16, 1)}}} {
		if err := WriteNPZ(io.Discard, bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	if out, err := readNPZ(npzFile(t), Limits{}); err != nil || len(out) != 0 {
		t.Error(out, err)
	}
}

// zipOf is an archive of one deflated entry, changed by edit before it is written.
func zipOf(t *testing.T, name string, content []byte, edit func(*zip.FileHeader)) []byte {
	t.Helper()
	var packed, buf bytes.Buffer
	zw := zip.NewWriter(&packed)
	w, err := zw.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	zw.Close()
	zr, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := zr.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	h := zr.File[0].FileHeader
	h.Flags &^= 8 // sizes in front, none behind
	if edit != nil {
		edit(&h)
	}
	out := zip.NewWriter(&buf)
	if w, err = out.CreateRaw(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, raw); err != nil {
		t.Fatal(err)
	}
	out.Close()
	return buf.Bytes()
}

func TestReadNPZHostile(t *testing.T) {
	var buf bytes.Buffer
	if err := WriteNPY(&buf, New(Float32, 1<<16)); err != nil {
		t.Fatal(err)
	}
	npy := buf.Bytes()
	ok := zipOf(t, "x.npy", npy, nil)
	if out, err := readNPZ(ok, Limits{}); err != nil || len(out) != 1 || out[0].Tensor.Len() != 1<<16 {
		t.Fatal(out, err)
	}
	bad := func(what string, file []byte, lim Limits) {
		t.Helper()
		if out, err := readNPZ(file, lim); !errors.Is(err, ErrNPY) {
			t.Errorf("%s: %v %v", what, out, err)
		}
	}
	bad("not a zip", []byte("PK nothing"), Limits{})
	bad("cut", ok[:len(ok)-30], Limits{})
	bad("limit of bytes", ok, Limits{MaxBytes: int64(len(npy)) - 1})
	bad("limit of entries", npzFile(t, Named{"a", New(Int8)}, Named{"b", New(Int8)}), Limits{MaxEntries: 1})
	bad("limit over all entries", npzFile(t, Named{"a", New(Int8, 100)}, Named{"b", New(Int8, 100)}), Limits{MaxBytes: 300})
	bad("claims more than it holds", zipOf(t, "x.npy", npy, func(h *zip.FileHeader) { h.UncompressedSize64++ }), Limits{})
	bad("claims less than it holds", zipOf(t, "x.npy", npy, func(h *zip.FileHeader) { h.UncompressedSize64-- }), Limits{})
	bad("claims what no compression gives", zipOf(t, "x.npy", npy, func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 31 }), Limits{})
	bad("wrong checksum", zipOf(t, "x.npy", npy, func(h *zip.FileHeader) { h.CRC32 ^= 1 }), Limits{})
	bad("encrypted", zipOf(t, "x.npy", npy, func(h *zip.FileHeader) { h.Flags |= 1 }), Limits{})
	bad("no array", zipOf(t, "x.txt", npy, nil), Limits{})
	bad("bytes after the array", zipOf(t, "x.npy", append(slices.Clone(npy), 0), nil), Limits{})
	bad("array inside is cut", zipOf(t, "x.npy", npy[:1000], nil), Limits{})
	twice := func() []byte {
		var b bytes.Buffer
		zw := zip.NewWriter(&b)
		for range 2 {
			w, err := zw.CreateHeader(&zip.FileHeader{Name: "x.npy"})
			if err != nil {
				t.Fatal(err)
			}
			w.Write(npy)
		}
		zw.Close()
		return b.Bytes()
	}()
	bad("name twice", twice, Limits{})
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	x := From([]float32{1, 2, 3}, 3)
	var buf bytes.Buffer
	if err := WriteNPY(&buf, x); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{write("x.npy", buf.Bytes()), write("y.NPZ", npzFile(t, Named{"x", x}))} {
		out, err := ReadFile(p)
		if err != nil || len(out) != 1 || out[0].Name != "x" || !Equal(out[0].Tensor, x) {
			t.Errorf("%s: %v %v", p, out, err)
		}
	}
	for _, p := range []string{
		write("after.npy", append(buf.Bytes(), 0)), write("huge.npy", npyFile(hostile["huge"], nil)), write("x.txt", nil),
		write("bad.npz", buf.Bytes()), filepath.Join(dir, "missing.npy"), dir,
	} {
		if _, err := ReadFile(p); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestAllClose(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	f := func(v ...float64) *Tensor { return From(v, len(v)) }
	for _, c := range []struct {
		a, b       *Tensor
		rtol, atol float64
		bad, at    int // worst
		maxAbs     float64
	}{
		{f(1, 2), f(1, 2), 0, 0, 0, 0, 0},
		{f(nan, inf, -inf), f(nan, inf, -inf), 0, 0, 0, 0, 0},
		{f(1, nan, 3), f(1, 2, nan), 1, 1, 2, 1, inf},
		{f(inf), f(-inf), 1, 1, 1, 0, inf},
		{f(1e300), f(inf), 1, 1, 1, 0, inf},
		{f(inf), f(1), 1, inf, 1, 0, inf},
		{f(1.1, 100, 3), f(1, 101, 3), 0, 0.5, 1, 1, 1},
		{f(1.1, 100, 3), f(1, 101, 3), 0.01, 0, 1, 0, 1},
		{f(1.1, 100, 3), f(1, 101, 3), 0.1, 1e-9, 0, 0, 1},
		{From([]float32{1, 2}, 2), f(1, 2.5), 0, 0.1, 1, 1, 0.5},
		{From([]int64{1<<53 + 1}, 1), From([]int64{1 << 53}, 1), 0, 0.5, 1, 0, 1},
		{From([]uint64{1 << 63}, 1), From([]int64{math.MinInt64}, 1), 0, 0.5, 1, 0, 0x1p64},
		{From([]bool{true}, 1), From([]uint8{0}, 1), 0, 0.5, 1, 0, 1},
		{FromStrings([]string{"a", "b"}, 2), FromStrings([]string{"a", "c"}, 2), 0, 0, 1, 1, inf},
		{From([]complex64{complex(3, 4)}, 1), From([]complex128{0}, 1), 0, 4.9, 1, 0, 5},
		{From([]complex64{complex(3, 4)}, 1), From([]complex128{0}, 1), 0, 5.1, 0, 0, 5},
		{From([]complex128{complex(nan, 4)}, 1), From([]complex128{complex(nan, 5)}, 1), 0, 0.5, 1, 0, 1},
		{From([]complex128{complex(nan, 4)}, 1), From([]complex128{complex(1, 4)}, 1), 9, 9, 1, 0, inf},
	} {
		ok, r := AllClose(c.a, c.b, c.rtol, c.atol)
		if ok != (c.bad == 0) || r.Bad != c.bad || r.MaxAbs != c.maxAbs || c.bad > 0 && r.At[0] != c.at {
			t.Errorf("%v %v: %v %+v", Format(c.a), Format(c.b), ok, r)
		}
	}
	a := New(Float32, 2, 3, 4)
	b := a.Clone()
	b.F32()[13], b.F32()[20] = 1, 4
	_, r := AllClose(a, b, 0, 0)
	if !slices.Equal(r.First, []int{1, 0, 1}) || !slices.Equal(r.At, []int{1, 2, 0}) || r.MaxRel != 1 || r.Bad != 2 {
		t.Errorf("%+v", r)
	}
	if s := r.String(); s != "2 of 24 elements differ, worst at [1 2 0]: 0, want 4; first at [1 0 1]; max abs 4, max rel 1" {
		t.Error(s)
	}
	for _, c := range [][2]*Tensor{{a, New(Float32, 24)}, {f(1), From([]complex128{1}, 1)}, {f(1), FromStrings([]string{"1"}, 1)}} {
		if ok, r := AllClose(c[0], c[1], 1, 1); ok || r.Reason == "" || r.String() != r.Reason {
			t.Errorf("%v %+v", ok, r)
		}
	}
}

func TestEqual(t *testing.T) {
	x := From([]float64{0, math.NaN()}, 2)
	if !Equal(x, x.Clone()) || Equal(x, From([]float64{math.Copysign(0, -1), math.NaN()}, 2)) || Equal(x, x.Reshape(1, 2)) ||
		Equal(x, New(Int64, 2)) {
		t.Error("floats")
	}
	if Equal(FromStrings([]string{"a"}, 1), FromStrings([]string{"b"}, 1)) {
		t.Error("strings")
	}
	p, _ := FromBytes(Int4, []int{3}, []byte{0x21, 0x03})
	q, _ := FromBytes(Int4, []int{3}, []byte{0x21, 0xf3})
	s, _ := FromBytes(Int4, []int{3}, []byte{0x21, 0x02})
	if !Equal(p, q) || Equal(p, s) {
		t.Error("packed: the bits after the last element must not count, all others must")
	}
}

func TestFormat(t *testing.T) {
	for want, x := range map[string]*Tensor{
		"float32[] 1.5":                                        Scalar[float32](1.5),
		"float32[0,3] []":                                      New(Float32, 0, 3),
		"int64[2,3] [[ 1  2  3]\n [ 4  5 -6]]":                 From([]int64{1, 2, 3, 4, 5, -6}, 2, 3),
		"string[2] [\"a\" \"b\"]":                              FromStrings([]string{"a", "b"}, 2),
		"uint8[2,1,2] [[[0 0]]\n\n [[0 0]]]":                   New(Uint8, 2, 1, 2),
		"uint8[1001] [0 0 0 ... 0 0 0]":                        New(Uint8, 1001),
		"bool[2] [ true false]":                                From([]bool{true, false}, 2),
		"float32[2] [0.333333      100]":                       From([]float32{1. / 3, 100}, 2),
		"int4[3] [-8  7  0]":                                   mustConvert(t, From([]int8{-8, 7, 0}, 3), Int4),
		"float64[2] [       NaN 0.33333333]":                   From([]float64{math.NaN(), 1. / 3}, 2),
		"uint8[2,501] [[0 0 0 ... 0 0 0]\n [0 0 0 ... 0 0 0]]": New(Uint8, 2, 501),
	} {
		if got := Format(x); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	for _, head := range hostile {
		f.Add(npyFile(head, make([]byte, 32)))
	}
	for _, s := range []string{"<f4", ">f2", "|b1", "<c16", "<U2", "|S3", ">i8"} {
		f.Add(npyFile(header(s, true, "(1, 2)"), make([]byte, 64)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ReadNPY(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrNPY) {
				t.Fatal(err)
			}
			return
		}
		var buf bytes.Buffer
		if err := WriteNPY(&buf, x); err != nil {
			if x.dtype == String { // bytes that are no text
				return
			}
			t.Fatal(err)
		}
		y, err := ReadNPY(&buf)
		if err != nil || !Equal(x, y) {
			t.Fatalf("%v after writing: %v %v", x, y, err)
		}
	})
}

func FuzzReadNPZ(f *testing.F) {
	f.Add(npzFile(f, Named{"a", From([]float32{1}, 1)}, Named{"b", FromStrings([]string{"x"}, 1)}))
	f.Add(npzFile(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := readNPZ(b, Limits{MaxBytes: 1 << 20, MaxEntries: 16})
		if err != nil && !errors.Is(err, ErrNPY) {
			t.Fatal(err)
		}
		total := 0
		for _, n := range out {
			total += len(n.Tensor.raw)
		}
		if total > 1<<20 {
			t.Fatalf("%d bytes", total)
		}
	})
}

// The checksum of an archive entry is that of the array file, which makes archives comparable by their directory.
func TestNPZChecksum(t *testing.T) {
	x := From([]float32{1, 2}, 2)
	var buf bytes.Buffer
	if err := WriteNPY(&buf, x); err != nil {
		t.Fatal(err)
	}
	file := npzFile(t, Named{"x", x})
	zr, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil || zr.File[0].CRC32 != crc32.ChecksumIEEE(buf.Bytes()) {
		t.Error(err)
	}
}
