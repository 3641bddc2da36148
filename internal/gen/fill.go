package main

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Markers of a generated part of a page, each at the start of a line: <!-- generated:NAME ARGUMENT --> … <!-- /generated -->.
const (
	opening = "\n<!-- generated:"
	closing = "\n<!-- /generated -->"
)

// context is where a section goes.
type context struct {
	page string // path of the page from the root, with slashes
	arg  string // what follows the name in the marker
}

// link is a Markdown link from the page to a file given by its path from the root.
func (c context) link(text, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	rel, err := filepath.Rel(path.Dir(c.page), file)
	if err != nil {
		rel = file
	}
	if anchor != "" {
		rel += "#" + anchor
	}
	return "[" + text + "](" + filepath.ToSlash(rel) + ")"
}

// sections are the parts that a marker can name.
var sections = map[string]func(context) (string, error){
	"operators":         operatorTable,
	"operators-private": privateTable,
	"operators-missing": missingOperators,
	"operators-summary": operatorSummary,
	"methods":           methodTable,
	"method-options":    methodOptions,
	"optimizers":        optimizerTable,
	"optimizer-names":   optimizerNames,
	"optimizer-options": optimizerOptions,
	"optimizers-asking": evaluatingTable,
	"schedules":         scheduleTable,
	"augmentations":     augmentTable,
	"losses":            lossTable,
	"objectives":        objectiveTable,
	"denoising":         denoisingTable,
	"noises":            noiseTable,
	"metrics":           metricsTable,
	"scores":            scoreTable,
	"recipes":           recipeTable,
	"directions":        directionTable,
	"formats":           formatTable,
	"models":            modelTable,
	"commands":          commandTable,
	"flags":             flagTable,
	"global-flags":      globalFlagTable,
	"help":              helpText,
	"example":           exampleProgram,
}

// fill replaces the content of every generated part of a page.
func fill(page, text string) (string, error) {
	var out strings.Builder
	text = "\n" + text // so that every line begins after one
	for {
		before, rest, found := strings.Cut(text, opening)
		out.WriteString(before)
		if !found {
			return out.String()[1:], nil
		}
		head, rest, ok := strings.Cut(rest, "-->")
		if !ok || strings.Contains(head, "\n") {
			return "", fmt.Errorf("a marker generated:%s without -->", firstWord(head))
		}
		name, arg, _ := strings.Cut(strings.TrimSpace(head), " ")
		old, rest, ok := strings.Cut(rest, closing)
		if !ok || strings.Contains(old, opening) {
			return "", fmt.Errorf("generated:%s has no %s", name, closing[1:])
		}
		make, ok := sections[name]
		if !ok {
			return "", fmt.Errorf("%w", &registry.UnknownError{Kind: "generated part", Name: name,
				Known: slices.Sorted(maps.Keys(sections))})
		}
		body, err := make(context{page, strings.TrimSpace(arg)})
		if err != nil {
			return "", fmt.Errorf("generated:%s: %w", name, err)
		}
		fmt.Fprintf(&out, "%s%s-->\n%s%s", opening, head, strings.TrimRight(body, "\n"), closing)
		text = rest
	}
}

func firstWord(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return f[0]
	}
	return ""
}

// table is a Markdown table under construction.
type table struct{ b strings.Builder }

func newTable(head ...string) *table {
	t := &table{}
	t.row(head...)
	t.b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	return t
}

// row adds a row; what would end a cell is escaped.
func (t *table) row(cells ...string) {
	for _, c := range cells {
		t.b.WriteString("| " + strings.NewReplacer("|", `\|`, "\n", " ").Replace(c) + " ")
	}
	t.b.WriteString("|\n")
}

func (t *table) String() string { return t.b.String() }

// code is s set as code, "" for nothing.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// codes is each of list set as code.
func codes(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = code(s)
	}
	return strings.Join(out, " ")
}

// source makes the URLs of a source links, with a short text in their place; words around them stay.
func source(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		url := strings.Trim(w, ",;()")
		if !strings.HasPrefix(url, "http") {
			continue
		}
		words[i] = strings.Replace(w, url, "["+short(url)+"]("+url+")", 1)
	}
	return strings.Join(words, " ")
}

// short is a URL for reading: arXiv numbers and the host of others.
func short(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, p, _ := strings.Cut(rest, "/")
	host = strings.TrimPrefix(host, "www.")
	switch {
	case host == "arxiv.org":
		return "arXiv " + path.Base(p)
	case host == "doi.org":
		return "doi:" + p
	case host == "github.com":
		return strings.Join(strings.Split(p, "/")[:min(2, strings.Count(p, "/")+1)], "/")
	}
	return host
}
