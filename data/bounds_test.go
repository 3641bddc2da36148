package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	account "github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/tensor"
	"golang.org/x/image/tiff"
)

// endless repeats a text.
type endless struct {
	text string
	much []byte // of it
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.much == nil {
		e.much = bytes.Repeat([]byte(e.text), 1<<16)
	}
	n := copy(p, e.much[e.at:])
	e.at = (e.at + n) % len(e.much)
	return n, nil
}

// What does not end is refused while it is parsed.
func TestTableBounds(t *testing.T) {
	for what, c := range map[string]struct{ head, rest, want string }{
		"a line":               {"a,b\n1,2\n", "7", "a row of more than 16 MiB"},
		"a line after rows":    {"a,b\n" + strings.Repeat("1,2\n", 100), "7", "a row of more than 16 MiB"},
		"a quote":              {"a,b\n1,2\n3,\"", "7\n", "a row of more than 16 MiB"},
		"a header":             {"", "name,", "a row of more than 1048576 fields"},
		"a quoted header":      {"", "\"na,me\",", "a row of more than 1048576 fields"},
		"fields with blanks":   {"", "1 ", "a row of more than 1048576 fields"},
		"comments":             {"", "#\n", "more than 16 MiB of comments"},
		"a comment":            {"# ", "x", "more than 16 MiB of comments"},
		"rows":                 {"a,b\n", "1,2\n", "over the limit of 20971520 bytes"},
		"rows without a value": {"a,b\n1,2\n", ",\n", "over the limit of 20971520 bytes"},
	} {
		t.Run(what, func(t *testing.T) {
			r := io.MultiReader(strings.NewReader(c.head), &endless{text: c.rest})
			_, err := readCSV("x.csv", r, 0, Options{Limits: Limits{Bytes: 20 << 20}})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "data: x.csv: ") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	wide := strings.Repeat("1,", maxColumns) + "1\n"
	_, err := readCSV("x.csv", strings.NewReader(wide+wide), 0, Options{})
	wantFormatError(t, err, "line 1", "65537 columns, at most 65536")
	ds, err := readCSV("x.csv", strings.NewReader("text,a,label\n\""+strings.Repeat("7,\n", 1<<20)+"\",1,x\nb,2,y\n"), 0, Options{})
	if err != nil || ds.Len() != 2 {
		t.Errorf("a text of three megabytes: %v", err)
	}
}

// A gzip file that unfolds to a thousand times its size is refused on the way, by every reader that takes one.
func TestUnfolds(t *testing.T) {
	dir := t.TempDir()
	pack := func(name, head, fill string) {
		path := filepath.Join(dir, name)
		f := must(os.Create(path))(t)
		z := must(gzip.NewWriterLevel(f, gzip.BestCompression))(t)
		_, err := io.Copy(z, io.MultiReader(strings.NewReader(head), io.LimitReader(&endless{text: fill}, unfolds+1<<20)))
		if err := errors.Join(err, z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "idx"), 0o777), os.Mkdir(filepath.Join(dir, "cifar"), 0o777)); err != nil {
		t.Fatal(err)
	}
	pack("idx/train-images-idx3-ubyte.gz", "\x00\x00\x08\x03\x00\x10\x00\x00\x00\x00\x00\x08\x00\x00\x00\x10", "\x00")
	pack("idx/train-labels-idx1-ubyte.gz", "\x00\x00\x08\x01\x00\x10\x00\x00", "\x00")
	pack("cifar/data_batch_1.bin.gz", "", "\x00")
	pack("t.csv.gz", "a,b,c,d\n", "0.000000001,0.000000002,a long text that is a group,0.0000000000000000000000000000000000000003\n")
	pack("t.txt.gz", "", "a")
	for _, spec := range []string{"idx:idx", "cifar10:cifar", "csv:t.csv.gz", "text:t.txt.gz"} {
		format, path, _ := strings.Cut(spec, ":")
		_, err := Open(format+":"+filepath.Join(dir, path), Options{})
		wantFormatError(t, err, "more than 50 times its size", "gunzip")
	}
}

// A file of zeros that unfolds far, but to no more than a usual data set, is read.
func TestUnfoldsLittle(t *testing.T) {
	path := write1(t, filepath.Join(t.TempDir(), "t.txt.gz"), gz(make([]byte, 8<<20)))
	if ds, err := Open("text:"+path, Options{}); err != nil || ds.Len() != 8<<20/64 {
		t.Error(err)
	}
}

// Readers ask the account for what they hold, and name what they read, what is needed and what raises the limit.
func TestReadersAsk(t *testing.T) {
	dir := t.TempDir()
	table := write1(t, filepath.Join(dir, "t.csv"), bytes.Repeat([]byte("1,2,3,4,5\n"), 1<<20))
	text := write1(t, filepath.Join(dir, "t.txt"), make([]byte, 24<<20))
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte"),
		append([]byte("\x00\x00\x08\x03\x00\x00\x60\x00\x00\x00\x00\x20\x00\x00\x00\x20"),
			make([]byte, 24<<20)...))
	write1(t, filepath.Join(dir, "train-labels-idx1-ubyte"), append([]byte("\x00\x00\x08\x01\x00\x00\x60\x00"), make([]byte, 24<<10)...))
	array := write1(t, filepath.Join(dir, "t.npz"), npzOf(t, tensor.Named{Name: "x", Tensor: tensor.New(tensor.Float32, 100, 1<<16)}))
	picture := write1(t, filepath.Join(dir, "p.png"), pngOf(image.NewNRGBA(image.Rect(0, 0, 2000, 2000))))
	before, _ := account.Budget()
	defer account.SetBudget(before)
	account.SetBudget(1) // all is in use
	for _, spec := range []string{"csv:" + table, "text:" + text, "idx:" + dir, "npz:" + array, "images:" + picture} {
		ds, err := Open(spec, Options{})
		if err == nil {
			_, err = ds.Example(0)
		}
		var short *account.Error
		if !errors.As(err, &short) || short.Need < account.Small || !strings.Contains(err.Error(), "--max-memory") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestWords(t *testing.T) {
	w, k := &words{}, &texts{}
	n := mostShared + 100
	for i := range 2 * n {
		if err := w.add(strconv.Itoa(i%n), k, i); err != nil {
			t.Fatal(err)
		}
		if i == mostShared-1 && w.all {
			t.Error("spread too early")
		}
	}
	if !w.all || w.len() != 2*n {
		t.Errorf("%d rows, all %v", w.len(), w.all)
	}
	for i, s := range w.rows() {
		if s != strconv.Itoa(i%n) {
			t.Fatalf("row %d is %q", i, s)
		}
	}
	few := &words{}
	for _, s := range []string{"a", "b", "a", ""} {
		if err := few.add(s, k, 0); err != nil {
			t.Fatal(err)
		}
	}
	if few.all || few.len() != 4 || few.at(2) != "a" || few.index(func(s string) bool { return s == "" }) != 3 ||
		!slices.Equal(slices.Collect(few.some()), []string{"a", "b", ""}) || few.each(strings.ToUpper).at(2) != "A" || few.at(0) != "a" {
		t.Errorf("%+v", few)
	}
}

// The one large strip of a TIFF file reads as the decoder reads it whole.
func TestDividedTIFF(t *testing.T) {
	img := image.NewRGBA64(image.Rect(0, 0, 1500, 1601))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i >> 7)
		if i%8 >= 6 {
			img.Pix[i] = 255
		}
	}
	for _, o := range []tiff.Options{{}, {Compression: tiff.Deflate}, {Compression: tiff.Deflate, Predictor: true}} {
		var b bytes.Buffer
		if err := tiff.Encode(&b, img, &o); err != nil {
			t.Fatal(err)
		}
		parsed := must(parseTIFF(b.Bytes()))(t)
		if r := must(parsed.divided(b.Bytes()))(t); len(r.pieces) == 1 {
			t.Errorf("%+v: a strip of %d bytes is not divided", o, parsed.strip())
		}
		got, err := DecodeImage("x.tif", b.Bytes(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		want := must(tiff.Decode(bytes.NewReader(b.Bytes())))(t)
		for _, p := range []image.Point{{}, {1499, 1600}, {700, 349}, {3, 350}, {1499, 351}, {0, 1600}} {
			if a, b := color.NRGBA64Model.Convert(got.At(p.X, p.Y)), color.NRGBA64Model.Convert(want.At(p.X, p.Y)); a != b {
				t.Errorf("%+v: pixel %v is %v, want %v", o, p, a, b)
			}
		}
		if _, err := DecodeImage("x.tif", b.Bytes()[:len(b.Bytes())/2], Limits{}); err == nil {
			t.Errorf("%+v: half a file is read", o)
		}
	}
}

// A header that claims more than the bytes of the file can hold is refused before memory is taken for it.
func TestClaims(t *testing.T) {
	claim := func(at int, put func(b []byte), file []byte) []byte {
		file = slices.Clone(file)
		put(file[at:])
		return file
	}
	small := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	png := claim(16, func(b []byte) {
		binary.BigEndian.PutUint32(b, 8000)
		binary.BigEndian.PutUint32(b[4:], 8000)
	}, pngOf(small))
	binary.BigEndian.PutUint32(png[29:], crc32PNG(png[12:29]))
	jpeg := jpegOf(small)
	sof := bytes.Index(jpeg, []byte{0xFF, 0xC0})
	jpeg = claim(sof+5, func(b []byte) {
		binary.BigEndian.PutUint16(b, 8000)
		binary.BigEndian.PutUint16(b[2:], 8000)
	}, jpeg)
	bmp := append([]byte("BM"), make([]byte, 100)...)
	binary.LittleEndian.PutUint32(bmp[10:], 54)
	binary.LittleEndian.PutUint32(bmp[14:], 40)
	binary.LittleEndian.PutUint32(bmp[18:], 8000)
	binary.LittleEndian.PutUint32(bmp[22:], 8000)
	bmp[26], bmp[28] = 1, 24
	for name, file := range map[string][]byte{"x.png": png, "x.jpg": jpeg, "x.bmp": bmp} {
		_, err := DecodeImage(name, file, Limits{})
		wantFormatError(t, err, "8000×8000", "bytes cannot hold")
	}
}

// A list beside data has a limit of its own.
func TestListBounds(t *testing.T) {
	dir := t.TempDir()
	list := write1(t, filepath.Join(dir, "list.txt"), nil)
	if err := os.Truncate(list, maxKeep+1); err != nil {
		t.Skip(err)
	}
	if _, err := Open("keep:"+list+"@digits", Options{}); !errors.Is(err, regular.ErrSize) || !strings.Contains(err.Error(), "list.txt") {
		t.Error(err)
	}
}
