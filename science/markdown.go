package science

import (
	"fmt"
	"strings"
)

// Markdown is the page as it stands in docs/science.
func (p *Page) Markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\nPaper: <%s>. Written by `%s` in %.0f s on %s, %s. %d seeds; ± is half of a 95 %% interval over them "+
		"(Student's t).\n",
		p.Title, p.Question, p.Paper, p.Command, p.Seconds, p.Processor, threads(p.Threads), p.Seeds)
	for _, x := range p.Parts {
		b.WriteByte('\n')
		if x.Table == nil {
			b.WriteString(x.Text + "\n")
			continue
		}
		if x.Table.Title != "" {
			b.WriteString("**" + x.Table.Title + "**\n\n")
		}
		row(&b, x.Table.Columns)
		b.WriteString("|" + strings.Repeat("---|", len(x.Table.Columns)) + "\n")
		for _, r := range x.Table.Rows {
			cells := make([]string, len(r))
			for i, c := range r {
				cells[i] = c.Text
			}
			row(&b, cells)
		}
	}
	return []byte(b.String())
}

func row(b *strings.Builder, cells []string) {
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(c, "|", "\\|") + " ")
	}
	b.WriteString("|\n")
}

func threads(n int) string {
	if n == 1 {
		return "one thread"
	}
	return fmt.Sprintf("%d threads", n)
}
