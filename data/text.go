package data

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "text",
		Doc: "pieces of a text for a language model: text:FILE?length=64&stride=64; tokens are bytes, labels the byte that follows " +
			"each; .gz or not",
		Source: "byte-level language models, https://arxiv.org/abs/1308.0850 section 3.2",
		splits: []string{"train", "test"},
		query:  []string{"length", "stride", "tokens", "split"},
		open:   openText,
	})
}

// passages is a data set of pieces of one file.
type passages struct {
	tokens         []byte // of the part
	offset         int    // of the part in the file
	length, stride int
	notes          []string
}

// openText reads text:FILE?length=T: X int64 [T], the bytes s … s+T−1 as numbers of 0 to 255, and Y int64 [T], the byte behind each of
// them, NoLabel behind the last one of the part. The next piece begins stride bytes later (default T, so that each byte is predicted
// once). #train and
// #test are the first split of the bytes (default 0.9) and the rest; no piece has bytes of both, and no label either. What is left at the
// end and fills no piece is not used. An example's id is the position of its first byte in the file.
func openText(spec Spec, o Options, _ int) (Dataset, error) {
	d := &passages{}
	const remedy = "write text:FILE?length=64: pieces of 64 bytes"
	if err := setting(spec.String(), remedy, spec.Query, "length", &d.length, 64, 1, 1<<24, strconv.Atoi); err != nil {
		return nil, err
	}
	if err := setting(spec.String(), remedy, spec.Query, "stride", &d.stride, d.length, 1, 1<<24, strconv.Atoi); err != nil {
		return nil, err
	}
	if s := spec.Query.Get("tokens"); s != "" && s != "bytes" {
		return nil, malformed(spec.String(), "", "write the token numbers of another tokenizer into an npz: x [N,T] and y [N,T]",
			"tokens=%s: need bytes", clip(s))
	}
	var split float64
	if err := setting(spec.String(), "give the share of the bytes for training, such as 0.9", spec.Query, "split", &split, 0.9, 0, 1,
		parseShare); err != nil {
		return nil, err
	}
	if o.Task != "" && !o.positions() {
		return nil, malformed(spec.String(), "", "leave --task out, or use language-model",
			"a text gives the next byte at each position, not what the task %q needs", clip(o.Task))
	}
	if o.Inputs != nil {
		return nil, malformed(spec.String(), "", "leave --input out", "a text feeds the one input that takes token numbers; --set gives "+
			"others a constant")
	}
	held := &ledger{what: "the text " + spec.Path}
	all, err := readPassages(spec.Path, o.Limits, held)
	if err != nil {
		held.release()
		return nil, err
	}
	tie(held, d)
	border := int(math.Round(split * float64(len(all))))
	part := "the text"
	switch d.tokens = all; spec.Split {
	case "train":
		d.tokens, part = all[:border], "the part train"
	case "test":
		d.tokens, d.offset, part = all[border:], border, "the part test"
	}
	if d.Len() == 0 {
		return nil, malformed(spec.String(), "", "take shorter pieces or a longer text", "%s has %s, a piece %d", part,
			units.Plural(len(d.tokens), "byte"), d.length)
	}
	_, end := d.Span(d.Len() - 1)
	if left := d.offset + len(d.tokens) - end; left > 1 { // the label of the last piece is one of them
		d.notes = append(d.notes, fmt.Sprintf("the last %d bytes fill no piece of %d and are not used", left, d.length))
	}
	return d, nil
}

// readPassages is the content of a file, decompressed.
func readPassages(path string, l Limits, held *ledger) ([]byte, error) {
	f, err := openMaybeGzip(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := f.readAll(l.bytes(), held)
	if no := refused(path, "", l, err); no != nil {
		return nil, no
	}
	switch {
	case err != nil:
		return nil, &FormatError{Path: path, Problem: "cannot be read", Err: err, Remedy: "fetch the file again"}
	case len(b) == 0:
		return nil, malformed(path, "", "", "the file is empty")
	}
	return b, nil
}

func (d *passages) Len() int {
	if n := len(d.tokens) - d.length; n >= 0 {
		return n/d.stride + 1
	}
	return 0
}

// Span is the bytes of piece i, counted in the file.
func (d *passages) Span(i int) (first, end int) {
	first = d.offset + i*d.stride
	return first, first + d.length
}

func (d *passages) ID(i int) string {
	first, _ := d.Span(i)
	return strconv.Itoa(first)
}

func (d *passages) Label(int) int     { return -1 }
func (d *passages) Classes() []string { return nil }
func (d *passages) Notes() []string   { return d.notes }

func (d *passages) Example(i int) (Example, error) {
	at := i * d.stride
	x, y := make([]int64, d.length), make([]int64, d.length)
	for k := range x {
		x[k], y[k] = int64(d.tokens[at+k]), NoLabel
		if at+k+1 < len(d.tokens) {
			y[k] = int64(d.tokens[at+k+1])
		}
	}
	return Example{ID: d.ID(i), X: tensor.From(x, d.length), Label: -1, Y: tensor.From(y, d.length)}, nil
}
