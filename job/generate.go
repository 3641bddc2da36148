package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// GenerateConfig says how a language model on bytes goes on with a text.
type GenerateConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	UseOptions          // what inputs and outputs mean; Inputs must be nil
	Prompt      string  // what the text begins with; "" is a line break, which is not part of the text
	Tokens      int     // bytes to add; 0 means 200
	Length      int     // bytes that the model sees at a time; 0 means as many as it takes, at most 64 where its input does not say
	Temperature float64 // scores are divided by it; 0 takes the most likely byte each time
	TopK        int     // only so many of the most likely bytes are drawn from; 0 means all
	Seed        uint64  // of what is drawn
}

// GenerateReport is a text that a model has written.
type GenerateReport struct {
	Schema      string  `json:"schema"`
	Model       string  `json:"model"`
	Prompt      string  `json:"prompt"`
	Text        string  `json:"text"`   // what was added; bytes that are no UTF-8 are U+FFFD
	Tokens      []int   `json:"tokens"` // its bytes
	Length      int     `json:"length"`
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	LogProb     Number  `json:"log_prob"` // mean logarithm of the probability that the model gave to each byte
	Seconds     float64 `json:"seconds"`
}

// writer is a model that writes.
type writer struct {
	GenerateConfig
	plan    *feed.Plan
	session *engine.Session
	task    *task.Task
	r       *rand.Rand
}

// Generate goes on with a text, byte by byte: the bytes so far go into the model, padded to one length, and the next one is drawn from what
// it says at the last of them. A model whose scores there change with the padding looks ahead and is refused.
func Generate(ctx context.Context, c GenerateConfig, rep Reporter) (*GenerateReport, error) {
	rep = orQuiet(rep)
	switch {
	case c.Tokens < 0 || c.Tokens > 1<<20:
		return nil, usagef("--tokens %d: want 1 to %d bytes", c.Tokens, 1<<20)
	case c.Length < 0 || c.Length > 1<<20:
		return nil, usagef("--length %d: want 1 to %d bytes", c.Length, 1<<20)
	case !(c.Temperature >= 0) || math.IsInf(c.Temperature, 0):
		return nil, usagef("--temperature %v: want 0 or a positive number", c.Temperature)
	case c.TopK < 0:
		return nil, usagef("--top-k %d: want a number of bytes, or 0 for all", c.TopK)
	}
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	w, err := newWriter(ctx, l, c)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	text, first := []byte(c.Prompt), 0
	if len(text) == 0 {
		text, first = []byte("\n"), 1
	}
	prompt, sum := len(text), 0.0
	bar := rep.Stage("generate", cmp.Or(c.Tokens, 200))
	defer bar.End()
	for i := range cmp.Or(c.Tokens, 200) {
		p, err := w.next(ctx, text, i == 0)
		if err != nil {
			return nil, err
		}
		k := w.draw(p)
		sum += math.Log(p[k])
		text = append(text, byte(k))
		bar.Set(i+1, fmt.Sprintf("%.0f/s", float64(i+1)/max(time.Since(start).Seconds(), 1e-9)))
	}
	added := text[prompt:]
	r := &GenerateReport{Schema: "gtk.generate/1", Model: c.Model, Prompt: string(text[first:prompt]), Length: w.Length,
		Temperature: c.Temperature, TopK: c.TopK, LogProb: Number(sum / float64(len(added))), Seconds: time.Since(start).Seconds(),
		Text: strings.ToValidUTF8(string(added), "\uFFFD")}
	for _, b := range added {
		r.Tokens = append(r.Tokens, int(b))
	}
	return r, nil
}

// newWriter checks that l is a language model on bytes.
func newWriter(ctx context.Context, l *Model, c GenerateConfig) (*writer, error) {
	w := &writer{GenerateConfig: c, r: rand.New(rand.NewPCG(c.Seed, 0x67656e))}
	o, err := c.feeding(data.Example{})
	if err != nil {
		return nil, err
	}
	if w.plan, err = feed.New(l.Model, data.Example{X: tensor.New(tensor.Int64, 1)}, o); err != nil {
		return nil, badInput(err)
	}
	in := w.plan.Main()
	if !in.DType.IsInt() || len(in.Dims) != 2 {
		return nil, badInput(fmt.Errorf("%s: input %v takes no token numbers [N,T]; gtk generate is for language models on bytes", l.Path, in))
	}
	switch places := in.Dims[1].Size; {
	case places > 0 && c.Length > 0 && c.Length != places:
		return nil, usagef("--length %d: the model takes %d tokens, neither more nor fewer", c.Length, places)
	case places > 0:
		w.Length = places
	default:
		w.Length = cmp.Or(c.Length, 64)
	}
	use := c.remembered(l)
	if w.task, err = task.OfModel(l.Model, task.Options{Kind: use.Task, Output: use.Output}); err != nil {
		return nil, badInput(err)
	}
	if !w.task.Text() || w.task.K > 256 || w.task.K < 2 {
		return nil, badInput(fmt.Errorf("%s: %v; gtk generate is for language models on bytes, which score up to 256 tokens at each position "+
			"(gtk has no tokenizers)", l.Path, w.task))
	}
	for i := range len(c.Prompt) {
		if int(c.Prompt[i]) >= w.task.K {
			return nil, usagef("--prompt: byte %d at %s is beyond the %d tokens of the model", c.Prompt[i], units.Count(i), w.task.K)
		}
	}
	if w.session, err = l.Session(engine.Query{Fetch: []string{w.task.Fetch()}}); err != nil || w.plan.Main().Dims[1].Size > 0 ||
		c.Length > 0 {
		return w, err
	}
	return w, w.fit(ctx)
}

// fit makes the length as large as the model takes, up to what it is: a model may have no positions for so many.
func (w *writer) fit(ctx context.Context) error {
	_, first := w.seen(ctx, []byte{0}, 0)
	if node := (*exec.NodeError)(nil); !errors.As(first, &node) {
		return first
	}
	good, bad := 0, w.Length
	for bad-good > 1 {
		w.Length = (good + bad) / 2
		if _, err := w.seen(ctx, []byte{0}, 0); err != nil {
			bad = w.Length
		} else {
			good = w.Length
		}
	}
	if w.Length = good; good == 0 {
		return first
	}
	return ctx.Err()
}

// next is the probabilities of the byte behind text. check compares them with those for other padding.
func (w *writer) next(ctx context.Context, text []byte, check bool) ([]float64, error) {
	text = text[max(0, len(text)-w.Length):]
	p, err := w.seen(ctx, text, 0)
	if err != nil || !check {
		return p, err
	}
	q, err := w.seen(ctx, text, int64(w.task.K-1))
	if err != nil {
		return nil, err
	}
	for k := range p {
		if math.Abs(p[k]-q[k]) > 1e-4 {
			return nil, badInput(&task.AheadError{Output: w.task.Head.Output, By: math.Abs(p[k] - q[k])})
		}
	}
	return p, nil
}

// seen is the probabilities at the last byte of text, with tokens pad behind it.
func (w *writer) seen(ctx context.Context, text []byte, pad int64) (p []float64, err error) {
	ids := tensor.New(tensor.Int64, 1, w.Length)
	x := tensor.Data[int64](ids)
	for i := range x {
		if x[i] = pad; i < len(text) {
			x[i] = int64(text[i])
		}
	}
	b := &data.Batch{IDs: []string{"text"}, X: ids}
	err = w.plan.Run(ctx, w.session, b, feed.Rows{}, func(part feed.Part) error {
		return w.task.Decisions(part.Value(w.task.Fetch()), 1, nil, func(_ int, d *task.Decision) {
			if d.At == len(text)-1 {
				p = slices.Clone(d.Prob())
			}
		})
	})
	if node := (*exec.NodeError)(nil); errors.As(err, &node) {
		err = badInput(fmt.Errorf("--length %d: the model does not take so many bytes: %w", w.Length, err))
	}
	if err == nil && (p == nil || slices.ContainsFunc(p, math.IsNaN)) {
		err = badInput(fmt.Errorf("the model gives no finite scores at position %d of %d", len(text)-1, w.Length))
	}
	return p, err
}

// draw is a number of p, by the temperature, of the most likely ones.
func (w *writer) draw(p []float64) int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	if w.Temperature == 0 {
		return order[0]
	}
	if w.TopK > 0 {
		order = order[:min(w.TopK, len(order))]
	}
	sum, weights := 0.0, make([]float64, len(order))
	for i, k := range order {
		weights[i] = math.Pow(p[k]/p[order[0]], 1/w.Temperature) // the most likely one weighs 1, so that nothing overflows
		sum += weights[i]
	}
	u := w.r.Float64() * sum
	for i, v := range weights {
		if u -= v; u < 0 {
			return order[i]
		}
	}
	return order[0]
}
