//go:build unix

package cli_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// evil is a name that moves the cursor, changes the direction of writing and begins a line of its own. In names of files there is no /.
const evil = "e\x1b[2J\u009b31m\u202e\u2066\u0085\u2028\r\b\nFORGED line"

// longName is one that fills a screen.
var longName = evil + strings.Repeat("long ", 3000)

// evilModel is a linear layer on x [N,4] with such names everywhere. Each name has its number.
func evilModel(name func(what string) string, change func(*onnxpb.ModelProto)) *onnxpb.ModelProto {
	p := proto.String
	value := func(n string, width int64) *onnxpb.ValueInfoProto {
		return &onnxpb.ValueInfoProto{Name: &n, DocString: p(name("doc")), Type: &onnxpb.TypeProto{
			Denotation: p(name("denotation")), Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1),
				Shape: &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{
					{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: name("batch")}},
					{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: width}},
				}}}}}}
	}
	floats := func(n string, dims ...int64) *onnxpb.TensorProto {
		t := &onnxpb.TensorProto{Name: &n, DocString: p(name("doc")), DataType: proto.Int32(1), Dims: dims}
		for i := range int(dims[0]) * int(append(dims, 1)[1]) {
			t.FloatData = append(t.FloatData, float32(i%7)/7-0.4)
		}
		return t
	}
	x, h, r, y := name("x"), name("h"), name("r"), name("y")
	m := &onnxpb.ModelProto{
		IrVersion: proto.Int64(8), ProducerName: p(name("producer")), ProducerVersion: p(name("version")), Domain: p(name("domain")),
		DocString: p(name("doc")), OpsetImport: []*onnxpb.OperatorSetIdProto{
			{Version: proto.Int64(17)}, {Domain: p(name("unused domain")), Version: proto.Int64(1)},
		},
		MetadataProps: []*onnxpb.StringStringEntryProto{
			{Key: p(name("key")), Value: p(name("value"))}, {Key: p("labels"), Value: p(name("a") + "," + name("b"))},
		},
		Graph: &onnxpb.GraphProto{
			Name: p(name("graph")), DocString: p(name("doc")), Input: []*onnxpb.ValueInfoProto{value(x, 4)},
			Output: []*onnxpb.ValueInfoProto{value(y, 3)},
			Initializer: []*onnxpb.TensorProto{floats(name("w1"), 4, 5), floats(name("b1"), 5), floats(name("w2"), 5, 3),
				floats(name("b2"), 3)},
			Node: []*onnxpb.NodeProto{
				{Name: p(name("fc1")), DocString: p(name("doc")), OpType: p("Gemm"), Input: []string{x, name("w1"), name("b1")},
					Output: []string{h}},
				{Name: p(name("relu")), OpType: p("Relu"), Input: []string{h}, Output: []string{r}},
				{Name: p(name("fc2")), OpType: p("Gemm"), Input: []string{r, name("w2"), name("b2")}, Output: []string{y}},
			},
		},
	}
	if change != nil {
		change(m)
	}
	return m
}

// evilData writes data sets with such names, and gives their specifications.
func evilData(t *testing.T, dir string) (specs []string) {
	write := func(name string, b string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	quoted := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	rows := "id," + quoted("f1"+evil) + ",f2,f3,f4,label\n"
	for i := range 12 {
		rows += quoted(string(rune('a'+i))+evil) + ",1,2,3,4," + quoted([]string{"cat", "dog", "=cow"}[i%3]+evil) + "\n"
	}
	specs = append(specs, "csv:"+write("good.csv", rows), "csv:"+write("bad.csv", rows+quoted(evil)+",1,"+quoted(evil)+",3,4,x\n"),
		"csv:"+write("short"+evil+".csv", rows+"1,2\n"))
	for _, class := range []string{"cat" + evil, "dog" + evil} {
		for _, file := range []string{"1" + evil, "2"} {
			path := write(filepath.Join("folder"+evil, class, file+".png"), "")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	specs = append(specs, "imagefolder:"+filepath.Join(dir, "folder"+evil))
	write(filepath.Join("broken"+evil, "cat"+evil, "3"+evil+".png"), "no picture")
	specs = append(specs, "imagefolder:"+filepath.Join(dir, "broken"+evil), "imagefolder:"+filepath.Join(dir, "missing"+evil))
	npz := filepath.Join(dir, "n"+evil+".npz")
	f, err := os.Create(npz)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, n := range []string{"x", "y" + evil, "z" + evil} {
		w, err := z.Create(n + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		if err := tensor.WriteNPY(w, tensor.New(tensor.Float32, 6, 4)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return append(specs, "npz:"+npz, "what"+evil+":x", "csv:"+write("good.csv", rows)+"#"+evil,
		"csv:"+write("good.csv", rows)+"?"+evil+"=1",
		"keep:"+write("keep"+evil+".txt", "\"a\\x1b\"\n"+evil+"\n")+"@csv:"+filepath.Join(dir, "good.csv"))
}

// checkEvilFiles looks at what was written for people: pages show no more than the terminal, and no cell of a csv is a formula.
func checkEvilFiles(t *testing.T, dir string) {
	pages, cells := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".html":
			pages++
			if at := bytes.IndexFunc(b, func(r rune) bool { return r != '\t' && r != '\n' && !shown.Safe(r) }); at >= 0 {
				t.Errorf("%q holds %.200q", path, b[max(0, at-40):])
			}
		case ".csv":
			rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
			if err != nil {
				return err
			}
			for _, cell := range slices.Concat(rows...) {
				if strings.HasPrefix(cell, "'=") {
					cells++
				}
				if _, err := strconv.ParseFloat(cell, 64); err != nil && strings.IndexAny(cell, "=+-@\t\r") == 0 {
					t.Errorf("%q holds the cell %q", path, cell)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 4 || cells < 10 {
		t.Errorf("%d pages and %d cells that could be formulas were written", pages, cells)
	}
}

// Nothing that came with a file, a folder or a command line gets to the terminal as it is, begins a line, or fills the screen.
func TestEvilNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, m *onnxpb.ModelProto) string {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+evil+".onnx")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	short := func(what string) string { return what + evil }
	long := func(what string) string { return what + longName }
	first := func(m *onnxpb.ModelProto) *onnxpb.NodeProto { return m.Graph.Node[0] }
	good := write("good", evilModel(short, nil))
	models := []string{
		good, write("long", evilModel(long, nil)),
		write("operator", evilModel(long, func(m *onnxpb.ModelProto) { first(m).OpType = proto.String("Op" + longName) })),
		write("domain", evilModel(short, func(m *onnxpb.ModelProto) { first(m).Domain = proto.String("d" + evil) })),
		write("unused", evilModel(short, func(m *onnxpb.ModelProto) { first(m).Domain = proto.String("unused domain" + evil) })),
		write("attribute", evilModel(long, func(m *onnxpb.ModelProto) {
			first(m).Attribute = []*onnxpb.AttributeProto{{Name: proto.String("at" + longName), Type: onnxpb.AttributeProto_INT.Enum(),
				I: proto.Int64(1)}}
		})),
		write("cycle", evilModel(long, func(m *onnxpb.ModelProto) { first(m).Input[0] = m.Graph.Node[2].Output[0] })),
		write("nowhere", evilModel(long, func(m *onnxpb.ModelProto) { first(m).Input[0] = "nowhere" + longName })),
		write("shape", evilModel(long, func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].Dims = []int64{5, 4} })),
		write("twice", evilModel(short, func(m *onnxpb.ModelProto) { m.Graph.Node[1].Output = m.Graph.Node[0].Output })),
		write("external", evilModel(short, func(m *onnxpb.ModelProto) {
			w := m.Graph.Initializer[0]
			w.FloatData, w.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
			w.ExternalData = []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: proto.String("../" + evil)}}
		})),
		write("many", evilModel(short, func(m *onnxpb.ModelProto) {
			for i := range 600 {
				n := proto.Clone(m.Graph.Node[1]).(*onnxpb.NodeProto)
				s := short(string(rune('0'+i%10)) + strings.Repeat("n", i/10))
				n.OpType, n.Output = &s, []string{s}
				m.Graph.Node = append(m.Graph.Node, n)
			}
		})),
		filepath.Join(dir, "missing"+evil+".onnx"),
	}
	input, other := filepath.Join(dir, "in"+evil+".npy"), filepath.Join(dir, "other.npy")
	writeTensor(t, input, 1, 4)
	writeTensor(t, other, 1, 5)
	text := func(name, s string) string {
		path := filepath.Join(dir, name+evil)
		if err := os.WriteFile(path, []byte(s), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	specs := evilData(t, dir)
	csv := specs[0]
	var commands [][]string
	for _, m := range models {
		commands = append(commands, []string{"inspect", m}, []string{"inspect", m, "-v"}, []string{"import", m},
			[]string{"bench", m, "--n", "1"},
			[]string{"run", m, input}, []string{"diff", good, m}, []string{"verify", m, good},
			[]string{"finetune", m, "--data", csv, "--dry-run"},
			[]string{"explain", m, "--list-layers"}, []string{"export", m, "-o", filepath.Join(dir, "exported"+evil+".onnx"), "--force"})
	}
	out := func(name string) string { return filepath.Join(dir, "out", name+evil) }
	for _, s := range specs {
		commands = append(commands, []string{"data", s}, []string{"data", "info", s}, []string{"eval", good, "--data", s},
			[]string{"data", "convert", s, "-o", out("converted"), "--force"},
			[]string{"finetune", good, "--data", s, "--epochs", "1", "--progress", "plain", "-o", out("tuned"), "--force"})
	}
	commands = append(commands, [][]string{
		{"run", good, input, "-o", out("run"), "--force"}, {"run", good, other}, {"run", good, "--input", "no" + evil + "=" + input},
		{"run", good, "--input", "x" + evil + "=" + input}, {"run", good, text("odd", "x")}, {"run", good, input, "--fetch", evil},
		{"run", good, "--data", csv, "-o", out("p") + ".csv", "--force"}, {"run", good, "--data", csv, "-o", out("p") + ".odd", "--force"},
		{"run", good, input, "--labels", text("labels", "a"+evil+"\n\x1b[31m\n")},
		{"eval", good, "--data", csv, "--group-by", evil}, {"eval", good, "--data", csv, "--predictions", out("e") + ".csv", "--force"},
		{"finetune", good, "--data", csv, "--epochs", "2", "--val-split", "0.3", "-v", "-o", out("t"), "--force"},
		{"finetune", "--resume", out("t"), "-o", out("t2")},
		{"sweep", good, "--data", csv, "--val", csv, "--over", "sampler=all|" + evil, "--over", "lr=0.1,0.2", "-o", out("sweep"), "--force"},
		{"sweep", good, "--data", csv, "--val", csv, "--over", "epochs=1,2", "-o", out("sweep"), "--force"},
		{"sweep", "--resume", evil}, {"sweep", good, "--data", csv, "--val", csv, "--over", evil, "-o", out("sweep2")},
		{"sweep", good, "--data", csv, "--val", csv, "--over", evil + "=1,2", "-o", out("sweep2")},
		{"runs", "list", dir}, {"runs", "list", evil}, {"runs", evil}, {"runs", "list", dir, "--sort", evil},
		{"runs", "compare", out("t"), out("tuned"), "-o", out("c") + ".html", "--force"},
		{"finetune", good, "--data", csv, "--freeze", evil, "-o", out("f")},
		{"finetune", good, "--data", csv, "--trainable", evil, "-o", out("f")},
		{"lr-find", good, "--data", csv, "-o", out("lr"), "--force"},
		{"probe", "sharpness", good, "--data", csv, "-o", out("sharp"), "--force"}, {"probe", "sharpness", good, "--data", csv, "--along", evil},
		{"score-data", good, "--data", csv, "--score", "el2n", "-o", out("s"), "--force"},
		{"prune-data", good, "--data", csv, "--score", "el2n", "--keep", "0.5", "-o", out("pr"), "--force"},
		{"explain", good, input, "-o", out("x"), "--force"}, {"explain", good, input, "--layer", evil, "-o", out("x"), "--force"},
		{"explain", good, input, "--method", evil, "-o", out("x"), "--force"}, {"inspect", good, "--input", evil + "=1x4"},
		{"inspect", good, "--input", "x" + evil + "=" + evil}, {"inspect", good, "--dot", out("dot"), "--force"},
		{evil}, {"inspect", "--" + evil}, {"inspect", good, evil}, {"help", evil}, {"inspect", good, "--threads", evil},
		{"inspect", good, "--timeout", evil},
		{"--" + evil}, {"inspect", good, "--config", text("config", "\"k\\x1b\\nFORGED\": 1\n")},
		{"inspect", good, "--config", text("yaml", ": [\x1b")},
		{"inspect", good, "--config", filepath.Join(dir, evil)}, {"models", "new", evil, "-o", out("m")}, {"completion", evil},
		{"inspect", good, "--progress", evil}, {"inspect", good, "--log-format", evil},
		{"verify", good, "--golden", filepath.Join(dir, evil)},
	}...)
	defer func() {
		if !t.Failed() {
			checkEvilFiles(t, filepath.Join(dir, "out"))
		}
	}()
	for i, args := range commands {
		for _, form := range [][]string{nil, {"--json"}} {
			if form != nil && i%4 > 0 {
				continue
			}
			code, stdout, stderr := run(append(append([]string{}, args...), form...)...)
			name := shown.Line(strings.Join(args, " "), 200)
			if code == 70 {
				t.Errorf("gtk %s: exit code 70: %s", name, stderr)
			}
			if _, msg, _ := strings.Cut("\n"+stderr, "\ngtk: "); code > 1 && (len(msg) >= 4000 || len(msg) == 0) {
				t.Errorf("gtk %s: an error of %d bytes: %.200q", name, len(msg), msg)
			}
			for _, s := range []string{stdout, stderr} {
				for _, line := range strings.Split(s, "\n") {
					if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
						t.Errorf("gtk %s: a forged line %.200q", name, line)
					}
					if at := strings.IndexFunc(line, func(r rune) bool { return r != '\t' && !shown.Safe(r) }); at >= 0 ||
						!utf8.ValidString(line) {
						t.Errorf("gtk %s: prints %.300q", name, line[max(0, at-40):])
						break
					}
				}
				if len(s) > 64<<10 && form == nil && !slices.Contains(args, "-v") {
					t.Errorf("gtk %s: prints %d bytes", name, len(s))
				}
			}
			if os.Getenv("GTK_HOSTILE") == "show" && form == nil {
				t.Logf("gtk %s: %d\n%s%s", name, code, cut(stdout, 2000), cut(stderr, 1000))
			}
		}
	}
}
