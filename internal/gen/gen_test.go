package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUpToDate fails when a registry, a flag or the version table has changed and the generated files have not.
func TestUpToDate(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if err := update(root, true, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestFill(t *testing.T) {
	const page = "before\n<!-- generated:global-flags -->\nold\n<!-- /generated -->\nafter\n"
	got, err := fill("docs/x.md", page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, "before\n<!-- generated:global-flags -->\n| flag |") ||
		!strings.HasSuffix(got, "<!-- /generated -->\nafter\n") || strings.Contains(got, "old") {
		t.Errorf("filled page:\n%s", got)
	}
	if !strings.Contains(got, "| `--threads value` | threads to use; 0 means all processors | `0` | `GTK_THREADS` |") {
		t.Errorf("no row of --threads:\n%s", got)
	}
	again, err := fill("docs/x.md", got)
	if err != nil || again != got {
		t.Errorf("filling twice differs: %v", err)
	}
	for _, bad := range []string{
		"<!-- generated:global-flags -->\n", "<!-- generated:nothing -->\n<!-- /generated -->", "<!-- generated:losses\n",
		"<!-- generated:losses -->\n<!-- generated:losses -->\n<!-- /generated -->",
	} {
		if _, err := fill("x.md", bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestParseHelp(t *testing.T) {
	const help = "NAME:\n   gtk x\n\nOPTIONS:\n   --out FILE, -o FILE             FILE to write\n" +
		"   --input A=B [ --input A=B ]  what (default: 3) [$GTK_INPUT]\n   --bare\n\n   pictures\n\n   --mean value  of the (grey) " +
		"picture\n\nMORE:\n   --no  no\n"
	got := parseHelp(help, "OPTIONS")
	want := []flagLine{
		{"--out FILE, -o FILE", "FILE to write", ""},
		{"--input A=B [ --input A=B ]", "what (default: 3) [$GTK_INPUT]", ""},
		{"--bare", "", ""},
		{"--mean value", "of the (grey) picture", "pictures"},
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: %q, want %q", i, got[i], want[i])
		}
	}
	if rows := flagRows(got[1:2]); !strings.Contains(rows, "| `--input A=B` | what (repeatable) | `3` | `GTK_INPUT` |") {
		t.Error(rows)
	}
}

func TestCheckReportsEveryStaleFile(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module x\n", "README.md": "<!-- generated:losses -->\n<!-- /generated -->\n",
		"docs/a.md":                   "<!-- generated:losses -->\n<!-- /generated -->\n",
		"engine/graph/zz_versions.go": "package graph\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := update(root, true, io.Discard)
	if err == nil {
		t.Fatal("stale files are up to date")
	}
	for _, name := range []string{"README.md", "docs/a.md", "engine/graph/zz_versions.go"} {
		if !strings.Contains(err.Error(), name+" is not up to date") {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	if err := update(root, false, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := update(root, true, io.Discard); err != nil {
		t.Error(err)
	}
}

// TestLinks checks that links from page to page lead to files, and that headings that are linked to exist.
func TestLinks(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := markdown(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range links(string(text)) {
			file, anchor, _ := strings.Cut(target, "#")
			path := filepath.Join(root, page)
			if file != "" {
				path = filepath.Join(root, filepath.Dir(page), file)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				if info, statErr := os.Stat(path); statErr != nil || !info.IsDir() {
					t.Errorf("%s links to %s, which is not there", page, target)
				}
				continue
			}
			if anchor != "" && !hasHeading(string(b), anchor) {
				t.Errorf("%s links to %s, but there is no such heading", page, target)
			}
		}
	}
}

// links are the targets of Markdown links that are not URLs, outside of code blocks.
func links(text string) []string {
	var all []string
	inCode := false
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		if inCode {
			continue
		}
		for rest := line; ; {
			_, after, ok := strings.Cut(rest, "](")
			if !ok {
				break
			}
			target, tail, ok := strings.Cut(after, ")")
			if !ok {
				break
			}
			if !strings.Contains(target, "://") {
				all = append(all, target)
			}
			rest = tail
		}
	}
	return all
}

// hasHeading reports whether a heading of the page has this anchor, by the rule of the common Markdown renderers.
func hasHeading(text, anchor string) bool {
	for _, line := range strings.Split(text, "\n") {
		title := strings.TrimLeft(line, "#")
		if len(title) == len(line) {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(title)))
		if slug == anchor {
			return true
		}
	}
	return false
}

// TestPaths checks that the files that the recipes and the architecture name exist.
func TestPaths(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile("`([a-z]+/[A-Za-z0-9_/.]+\\.(?:go|py|sh|json|tsv|txt|md))`")
	found := 0
	for _, page := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "docs/guides/library.md", "docs/operators.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range path.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "NAME") {
				continue
			}
			found++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d paths found", found)
	}
}
