package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/gtk-onnx/gtk/internal/shown"
)

// progress shows how far a long command is: a bar on a terminal, lines, JSON lines, or nothing, as --progress says; always on standard
// error.
type progress struct {
	e     *env
	mode  string // bar, plain, json, none
	what  string
	total int
	bar   *progressbar.ProgressBar
	last  time.Time
}

// newProgress begins to show progress of what, counted up to total.
func (e *env) newProgress(what string, total int) *progress {
	p := &progress{e: e, what: what, total: total, mode: e.Progress}
	switch {
	case p.mode == "auto" && !e.Quiet && isTerminal(e.Stderr):
		p.mode = "bar"
	case p.mode == "auto":
		p.mode = "none"
	}
	if p.mode == "bar" {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(e.Stderr), progressbar.OptionSetDescription(shown.Name(what)),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionEnableColorCodes(os.Getenv("NO_COLOR") == ""))
	}
	return p
}

// Set shows that done of the total are done, with a few words such as the loss, which may be empty.
func (p *progress) Set(done int, note string) {
	switch p.mode {
	case "bar":
		if note != "" {
			p.bar.Describe(shown.Line(p.what+" "+note, mostInLine))
		}
		_ = p.bar.Set(done) // a bar that cannot be drawn is no reason to stop
	case "plain":
		if now := time.Now(); now.Sub(p.last) > time.Second || done == p.total {
			p.last = now
			fmt.Fprintf(p.e.errors(), "%s %d/%d %s\n", inLine([]any{p.what, done, p.total, note})...)
		}
	case "json":
		b, err := json.Marshal(map[string]any{"schema": "gtk.progress/1", "what": p.what, "done": done, "total": p.total, "note": note})
		if err == nil {
			fmt.Fprintf(p.e.errors(), "%s\n", ascii(b))
		}
	}
}

// End takes the bar away.
func (p *progress) End() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	if s, ok := w.(*stdout); ok {
		w = s.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
