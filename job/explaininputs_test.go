package job

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// masked writes a model of ids [N,4] and mask [N,4]: the mean of the embeddings that the mask leaves, scaled by level [1], and three
// scores.
func masked(t *testing.T, dir string) string {
	t.Helper()
	g := &onnxpb.GraphProto{
		Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("ids", tensor.Int64, "N", 4), onnx.ValueInfo("mask", tensor.Int64, "N", 4),
			onnx.ValueInfo("level", tensor.Float32, 1)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("logits", tensor.Float32, "N", 3)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("table", testkit.RandN(1, 9, 5)), onnx.TensorToProto("w", testkit.RandN(2, 5, 3)),
			onnx.TensorToProto("last", tensor.From([]int64{2}, 1))},
	}
	for _, n := range []struct {
		op, in, out string
		attrs       []*onnxpb.AttributeProto
	}{
		{"Gather", "table ids", "e", nil}, {"Cast", "mask", "m", []*onnxpb.AttributeProto{onnx.AttrInt("to", 1)}},
		{"Unsqueeze", "m last", "mm", nil}, {"Mul", "e mm", "a", nil},
		{"ReduceMean", "a", "h", []*onnxpb.AttributeProto{onnx.AttrInts("axes", 1), onnx.AttrInt("keepdims", 0)}},
		{"Mul", "h level", "s", nil}, {"MatMul", "s w", "logits", nil},
	} {
		g.Node = append(g.Node, onnx.NewNode(n.op, n.out, strings.Fields(n.in), []string{n.out}, n.attrs...))
	}
	path := filepath.Join(dir, "masked.onnx")
	if err := onnx.NewModel(g, 13).WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeNPZ(t *testing.T, path string, arrays ...tensor.Named) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tensor.WriteNPZ(f, arrays), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExplainArchive: the arrays of an archive feed the inputs of their names, constants and examples alike; what is given as data gives
// the same.
func TestExplainArchive(t *testing.T) {
	dir := t.TempDir()
	model := masked(t, dir)
	ids, mask := tensor.From([]int32{1, 2, 3, 0, 8, 7, 6, 5}, 2, 4), tensor.From([]int64{1, 1, 1, 0, 1, 1, 1, 1}, 2, 4)
	level := tensor.From([]float32{2}, 1)
	whole := writeNPZ(t, filepath.Join(dir, "in.npz"), tensor.Named{Name: "ids", Tensor: ids}, tensor.Named{Name: "mask", Tensor: mask},
		tensor.Named{Name: "level", Tensor: level}, tensor.Named{Name: "y", Tensor: tensor.From([]int64{2, 0}, 2)})
	rows := writeNPZ(t, filepath.Join(dir, "rows.npz"), tensor.Named{Name: "ids", Tensor: ids}, tensor.Named{Name: "mask", Tensor: mask})
	other := writeNPZ(t, filepath.Join(dir, "other.npz"), tensor.Named{Name: "tokens", Tensor: ids}, tensor.Named{Name: "mask", Tensor: mask})
	one := writeNPZ(t, filepath.Join(dir, "one.npz"), tensor.Named{Name: "tokens", Tensor: ids})
	vocab := filepath.Join(dir, "vocab.txt")
	if err := os.WriteFile(vocab, []byte("[PAD]\na\nb\nc\nd\ne\nf\ng\nh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(name string, c ExplainConfig) []explain.Written {
		c.Model, c.Out, c.Requests = model, filepath.Join(dir, name), []explain.Request{{Method: "gradient"}}
		r, err := Explain(context.Background(), c, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.Objective != explain.ClassScore || len(r.Maps) != 2 {
			t.Errorf("%s: %s, %d maps", name, r.Objective, len(r.Maps))
		}
		page, err := os.ReadFile(r.Report)
		if err != nil || c.Aim.Vocab != "" && !strings.Contains(string(page), ">[PAD]<") {
			t.Errorf("%s: the page does not have the tokens: %v", name, err)
		}
		return r.Maps
	}
	set := UseOptions{Set: map[string]string{"level": "2"}}
	want := run("files", ExplainConfig{Files: []string{whole}, Aim: Aim{Vocab: vocab}})
	for name, c := range map[string]ExplainConfig{
		"constant":   {Files: []string{rows}, UseOptions: set},
		"data":       {Data: "npz:" + rows, UseOptions: set},
		"other name": {Files: []string{other}, UseOptions: UseOptions{Set: set.Set, Inputs: map[string]string{"ids": "tokens"}}},
		"left over":  {Files: []string{other}, UseOptions: set},
	} {
		for i, m := range run(name, c) {
			a, err := os.ReadFile(want[i].NPY)
			b, err2 := os.ReadFile(m.NPY)
			if err != nil || err2 != nil || !slices.Equal(a, b) {
				t.Errorf("%s: map %d differs: %v %v", name, i, err, err2)
			}
		}
	}
	for wants, c := range map[string]ExplainConfig{
		"nothing is given for input level": {Files: []string{rows}},
		"feeds one input":                  {Files: []string{one}},
		"no such array": {Files: []string{other}, UseOptions: UseOptions{Set: set.Set,
			Inputs: map[string]string{"ids": "tokns"}}},
		"mask int64[N,4]": {Files: []string{one}, UseOptions: set},
	} {
		c.Model, c.Out = model, filepath.Join(dir, "never")
		if _, err := Explain(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), wants) {
			t.Errorf("%v, want %q", err, wants)
		}
	}
}

func TestReadVocab(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		content string
		want    []string
		err     string
	}{
		"vocab.txt":  {"\ufeff[PAD]\r\nthe\r\n##s\r\n", []string{"[PAD]", "the", "##s"}, ""},
		"spm.vocab":  {"<s>\t0\n▁the\t-1.5\n▁\t-2\ns\t-3e1\n", []string{"<s>", " the", " ", "s"}, ""},
		"vocab.json": {`{"Ġcaf":1,"Ã©":2,"<|end|>":0,"Ċ":4}`, []string{"<|end|>", " caf", "é", "", "\n"}, ""},
		"list.json":  {`["a","b c"]`, []string{"a", "b c"}, ""},
		"tokenizer.json": {`{"model":{"type":"WordPiece","vocab":{"a":0,"b":1}},"added_tokens":[{"id":3,"content":"[X]"}]}`,
			[]string{"a", "b", "", "[X]"}, ""},
		"unigram.json": {`{"model":{"vocab":[["<unk>",0],["▁a",-1.5]]}}`, []string{"<unk>", " a"}, ""},
		"numbers.txt":  {"1\n2\t3\n", []string{"1", "2\t3"}, ""},
		"empty.txt":    {" \n", nil, "empty"},
		"spm.model":    {"\x00\x01\xff", nil, "one token a line"},
		"other.json":   {`{"labels":["a"]}`, nil, "want an object of numbers by token"},
		"far.json":     {`{"a":99999999999}`, nil, "number"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tc.content), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := readVocab(path)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) || KindOf(err) != KindInput {
				t.Errorf("%s: %v, want %q", name, err, tc.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q: %v", name, got, tc.want, err)
		}
	}
	if b, err := readVocab(byteVocab); err != nil || len(b) != 260 || b['a'] != "a" || b[0xe9] != `\xe9` {
		t.Errorf("bytes: %d tokens, %v", len(b), err)
	}
}

// TestOriginals: maps lie on the whole picture too, of files and of data sets, deep and transparent ones.
func TestOriginals(t *testing.T) {
	dir := t.TempDir()
	b := image.Rect(0, 0, 90, 70)
	deep, clear, small := image.NewGray16(b), image.NewNRGBA(b), image.NewGray(image.Rect(0, 0, 64, 64))
	for y := range 70 {
		for x := range 90 {
			deep.SetGray16(x, y, color.Gray16{Y: uint16(40 * x)})
			clear.SetNRGBA(x, y, color.NRGBA{uint8(2 * x), uint8(3 * y), 90, uint8(255 * (x / 45))})
		}
	}
	pics := filepath.Join(dir, "pics")
	if err := os.Mkdir(pics, 0o755); err != nil {
		t.Fatal(err)
	}
	var files []string
	for name, img := range map[string]image.Image{"clear.png": clear, "deep.png": deep, "small.png": small} {
		f, err := os.Create(filepath.Join(pics, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
			t.Fatal(err)
		}
		files = append(files, f.Name())
	}
	slices.Sort(files)
	for name, c := range map[string]ExplainConfig{"files": {Files: files}, "data": {Data: "pictures:" + pics}} {
		c.Model, c.Out, c.Requests = "builtin:shapes", filepath.Join(dir, name), []explain.Request{{Method: "gradcam"}}
		r, err := Explain(context.Background(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Maps) != 3 {
			t.Fatalf("%s: %d maps", name, len(r.Maps))
		}
		for _, m := range r.Maps {
			if strings.Contains(m.Image, "small") {
				if m.Original != "" {
					t.Errorf("%s: a picture of the model's size is shown whole too: %s", name, m.Original)
				}
				continue
			}
			f, err := os.Open(m.Original)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			img, err := png.Decode(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if s := img.Bounds().Size(); s.X*70 != s.Y*90 {
				t.Errorf("%s: %s is %v", name, m.Original, s)
			}
			if j, err := json.Marshal(m); err != nil || !strings.Contains(string(j), `"original":"`) {
				t.Errorf("%s: %s %v", name, j, err)
			}
		}
	}
}
