// Package science repeats small experiments of the papers whose methods gtk has, each with the control that could embarrass the method:
// a recipe is one file, a run of it is tables with means and intervals over seeds, and what they say in words. gtk science NAME runs
// one; docs/science has what they gave.
package science

import (
	"context"
	"fmt"
	"time"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Recipe is one experiment.
type Recipe struct {
	Name     string // on the command line, and of the file in docs/science
	Title    string // of the page
	Paper    string // URL
	Question string // what is asked, in a line
	Seeds    int    // how many runs of each arm unless told otherwise
	// Run does the experiment: it fills l's page.
	Run func(ctx context.Context, l *Lab) error
}

var recipes = registry.Table[Recipe]{Kind: "recipe"}

// Recipes is the table of recipes.
func Recipes() *registry.Table[Recipe] { return &recipes }

// register adds a recipe while the program initialises.
func register(r Recipe) { recipes.Register(r.Name, r, r.Question, r.Paper) }

// Config says how a recipe is run.
type Config struct {
	Seeds   int      // runs of each arm; 0 means the recipe's own number
	Threads int      // 0 means all processors
	Worker  []string // command of a worker process (see job.StragglerTrainConfig); nil for goroutines in its place
	// Progress is told what is being done; nil for nobody.
	Progress func(what string)
}

// Page is what a recipe gave.
type Page struct {
	Schema    string  `json:"schema"`
	Name      string  `json:"name"`
	Title     string  `json:"title"`
	Paper     string  `json:"paper"`
	Question  string  `json:"question"`
	Seeds     int     `json:"seeds"`
	Parts     []Part  `json:"parts"`
	Seconds   float64 `json:"seconds"`
	Command   string  `json:"command"`
	Processor string  `json:"processor"`
	Threads   int     `json:"threads"`
}

// Part is a paragraph or a table of a Page.
type Part struct {
	Text  string `json:"text,omitempty"`
	Table *Table `json:"table,omitempty"`
}

// Lab is what a recipe works with.
type Lab struct {
	Seeds   []uint64 // one run of each arm for each of them
	Threads int      // 0 means all processors
	Worker  []string // as Config has it
	page    *Page
	say     func(string)
}

// Run runs the recipe called name.
func Run(ctx context.Context, name string, c Config) (*Page, error) {
	r, err := recipes.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("science: %w", err)
	}
	n := c.Seeds
	if n == 0 {
		n = r.Seeds
	}
	if n < 2 || n > 1000 {
		return nil, fmt.Errorf("science: %d seeds: want 2 to 1000, an interval needs two", n)
	}
	l := &Lab{Threads: c.Threads, Worker: c.Worker, say: c.Progress,
		page: &Page{Schema: "gtk.science/1", Name: r.Name, Title: r.Title, Paper: r.Paper, Question: r.Question, Seeds: n, Threads: c.Threads}}
	for s := range n {
		l.Seeds = append(l.Seeds, uint64(s+1))
	}
	start := time.Now()
	if err := r.Run(ctx, l); err != nil {
		return nil, fmt.Errorf("science %s: %w", name, err)
	}
	l.page.Seconds = time.Since(start).Seconds()
	return l.page, nil
}

// Progress tells what is being done.
func (l *Lab) Progress(format string, args ...any) {
	if l.say != nil {
		l.say(fmt.Sprintf(format, args...))
	}
}

// Say adds a paragraph to the page. Figures in it come from what was measured, not from what was measured once.
func (l *Lab) Say(format string, args ...any) {
	l.page.Parts = append(l.page.Parts, Part{Text: fmt.Sprintf(format, args...)})
}

// Table adds a table to the page.
func (l *Lab) Table(t Table) { l.page.Parts = append(l.page.Parts, Part{Table: &t}) }
