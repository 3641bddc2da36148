package job

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// mostTokens is shown of a text.
const mostTokens = 512

// texts are pieces of text with what the model makes of each token.
func (f *finetuning) texts(cases []train.Case, rows []data.Example) []report.Block {
	var bs []report.Block
	for i, c := range cases {
		var tokens []int
		if x := rows[i].X; x != nil && x.Len() == len(c.Map) {
			for _, v := range x.Float64s() {
				tokens = append(tokens, int(v))
			}
		}
		said := fmt.Sprintf("%s: %s of the tokens right", rows[i].ID, units.Percent(rightShare(c)))
		if f.task.Predicts() {
			said = fmt.Sprintf("%s: perplexity %.4g", rows[i].ID, math.Exp(c.Wrong))
		}
		bs = append(bs, report.Heading(said), f.text(c, tokens))
	}
	return bs
}

func rightShare(c train.Case) float64 {
	n, right := 0, 0
	for i, y := range c.Labels {
		if y != task.Ignored {
			n++
			if c.Map[i] == y {
				right++
			}
		}
	}
	return float64(right) / float64(max(n, 1))
}

// text colours what is told of each token: of a language model the token that follows, by how little it was expected; of others the token
// itself, where it is taken for another class.
func (f *finetuning) text(c train.Case, tokens []int) report.Tokens {
	bytes := strings.HasPrefix(f.c.Data, "text:")
	t := report.Tokens{Apart: !bytes}
	for i, y := range c.Labels[:min(len(c.Labels), mostTokens)] {
		if y == task.Ignored {
			if !f.task.Predicts() && tokens != nil {
				t.Tokens = append(t.Tokens, report.Token{Text: f.token(tokens[i], bytes)})
			}
			continue
		}
		k := report.Token{}
		p := float64(c.Probs[i])
		if f.task.Predicts() {
			k.Text = f.token(int(y), bytes)
			k.Title = fmt.Sprintf("expected with %s", units.Percent(p))
			if c.Map[i] != y {
				k.Title += fmt.Sprintf("; %q was expected most", f.token(int(c.Map[i]), bytes))
			}
			bits := min(-math.Log2(max(p, 1e-9))/10, 1) // full at one in a thousand
			k.Color = color.NRGBA{0xd6, 0x60, 0x27, uint8(200 * bits)}
		} else {
			k.Text = f.task.ClassName(int(y))
			if tokens != nil {
				k.Text = f.token(tokens[i], bytes)
			}
			k.Title = fmt.Sprintf("%s, %s", f.task.ClassName(int(y)), units.Percent(p))
			if c.Map[i] != y {
				k.Title = fmt.Sprintf("%s, taken for %s", f.task.ClassName(int(y)), f.task.ClassName(int(c.Map[i])))
				k.Color = color.NRGBA{0xd6, 0x60, 0x27, 160}
			}
		}
		t.Tokens = append(t.Tokens, k)
	}
	return t
}

// token is the text of a token.
func (f *finetuning) token(id int, bytes bool) string {
	switch {
	case bytes && id >= 0 && id < 256:
		return string([]byte{byte(id)})
	case f.task.Predicts() && id >= 0 && id < len(f.task.Classes):
		return f.task.Classes[id]
	}
	return fmt.Sprint(id)
}
