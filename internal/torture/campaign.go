//go:build linux

package torture

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/shown"
)

// Config says what is run.
type Config struct {
	Seed   uint64
	Kinds  []string      // names of Kinds; none means all
	First  int           // number of the first case of each kind
	Count  int           // mutants; the other kinds run in proportion, or all cases that they have. 0 with Limit means until the time is up
	Limit  time.Duration // the time that all kinds share; 0 means no limit
	Bin    string        // the program; required
	Worker []string      // the command of a process that calls Worker; required for mutants
	Shared string        // folder with models and data sets; "" does without
	Keep   string        // folder for the inputs of failures; "" keeps none
	Known  string        // file of known failures; "" is none
	Out    io.Writer
}

// A kind is one sort of torture.
type kind struct {
	name, what string
	share      float64               // of the time
	cases      func(c *campaign) int // how many there are; 0 with a reason in c.skip means none today
	per        float64               // cases for each mutant where cases says that there is no end
	run        func(t *trial)        // runs one
}

const endless = -1

// kinds is filled by the files of the kinds.
var kinds []kind

// order is the order in which they run.
var order = []string{"mutation", "model-bomb", "data-bomb", "special", "kill", "failpoint", "full", "signal", "scarce", "pair",
	"checkpoint"}

// Kinds lists the kinds with a line on each.
func Kinds() (names, lines []string) {
	for _, k := range sorted() {
		names, lines = append(names, k.name), append(lines, k.what)
	}
	return names, lines
}

func sorted() []kind {
	all := slices.Clone(kinds)
	slices.SortFunc(all, func(a, b kind) int { return slices.Index(order, a.name) - slices.Index(order, b.name) })
	return all
}

// campaign is what the trials of one run share.
type campaign struct {
	Config
	dir      string // temporary files of the campaign; removed at the end
	pool     *pool
	client   *client
	known    []knownFailure
	failures map[string]*failure
	order    []string // of failures
	state    map[string]any
}

// failure is all cases that failed in one way.
type failure struct {
	signature, detail, repeat string
	count                     int
	known                     string // the reason, of one that is known
}

// trial is one case.
type trial struct {
	*campaign
	kind   string
	index  int
	dir    string // empty at the start
	rand   *rand.Rand
	failed bool
	notes  []string
}

// Run runs a campaign, prints what failed and reports whether everything that is not known went well.
func Run(cfg Config) (ok bool, err error) {
	c := &campaign{Config: cfg, failures: map[string]*failure{}, state: map[string]any{}}
	if c.known, err = readKnown(cfg.Known); err != nil {
		return false, err
	}
	if c.dir, err = os.MkdirTemp("", "gtk-torture-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(c.dir)
	defer func() {
		if c.client != nil {
			c.client.close()
		}
	}()
	begin := time.Now()
	var run []kind
	for _, k := range sorted() {
		if len(cfg.Kinds) == 0 || slices.Contains(cfg.Kinds, k.name) {
			run = append(run, k)
		}
	}
	if len(run) == 0 {
		return false, fmt.Errorf("there is none of the kinds %v", cfg.Kinds)
	}
	fmt.Fprintf(c.Out, "torture: SEED=%d\n", c.Seed)
	var shares float64
	for _, k := range run {
		shares += k.share
	}
	for _, k := range run {
		c.runKind(k, k.share/shares)
	}
	return c.report(time.Since(begin)), nil
}

// runKind runs cases of a kind: as many as are asked for, or for its share of the time, but one at least.
func (c *campaign) runKind(k kind, share float64) {
	until := time.Time{}
	if c.Limit > 0 {
		until = time.Now().Add(time.Duration(float64(c.Limit) * share))
	}
	started, before := time.Now(), len(c.order)
	n := k.cases(c)
	if why, skipped := c.state["skip "+k.name].(string); skipped && n == 0 {
		fmt.Fprintf(c.Out, "%-10s skipped: %s\n", k.name, why)
		return
	}
	most := c.Count
	if n == endless {
		if k.per != 1 {
			most = int(float64(c.Count)*k.per + 0.999)
		}
	} else if most == 0 || c.Count >= 1000 || n-c.First < most {
		most = n - c.First
	}
	done := 0
	for i := c.First; c.Limit > 0 && c.Count == 0 && n == endless || i < c.First+most; i++ {
		if done > 0 && !until.IsZero() && time.Now().After(until) {
			break
		}
		number := i
		if n > 0 && c.Limit > 0 { // a sample of them, another for each seed
			number = shuffled(c.Seed, n)[i]
		}
		c.one(k, number)
		done++
	}
	fmt.Fprintf(c.Out, "%-10s %d cases in %.0f s, %d new ways to fail\n", k.name, done, time.Since(started).Seconds(), len(c.order)-before)
}

// shuffled is the numbers below n in an order that the seed gives.
func shuffled(seed uint64, n int) []int { return rand.New(rand.NewPCG(seed, uint64(n))).Perm(n) }

// one runs one case.
func (c *campaign) one(k kind, i int) {
	t := &trial{campaign: c, kind: k.name, index: i, dir: filepath.Join(c.dir, "case")}
	var h uint64 = 14695981039346656037
	for _, b := range []byte(k.name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	t.rand = rand.New(rand.NewPCG(c.Seed^h, uint64(i)))
	if err := os.MkdirAll(t.dir, 0o777); err != nil {
		t.fail("torture", "%v", err)
		return
	}
	if k.name != "mutation" || i%100 == 0 {
		debug.FreeOSMemory() // what this process holds when it starts another counts as the other's peak
	}
	k.run(t)
	if err := os.RemoveAll(t.dir); err != nil {
		fmt.Fprintln(c.Out, "torture:", err)
	}
}

// note adds a line to what is said of this case if it fails.
func (t *trial) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// fail says that this case failed in a way, whose name has no spaces and is the same for other cases of the same fault.
func (t *trial) fail(way, format string, args ...any) {
	sig := t.kind + "/" + strings.ReplaceAll(way, " ", "-")
	detail := shown.Text(fmt.Sprintf(format, args...))
	f := t.failures[sig]
	if f == nil {
		f = &failure{signature: sig, detail: detail, known: t.reason(sig)}
		f.repeat = fmt.Sprintf("make torture SEED=%d KIND=%s FIRST=%d COUNT=1", t.Seed, t.kind, t.index)
		t.failures[sig] = f
		t.campaign.order = append(t.campaign.order, sig)
		word := "FAIL"
		if f.known != "" {
			word = "known"
		}
		fmt.Fprintf(t.Out, "%s %s: %s\n     %s\n     %s\n", word, sig, short(detail, 600), shown.Text(strings.Join(t.notes, "\n     ")),
			f.repeat)
	}
	f.count++
	t.failed = true
	if t.Keep != "" && f.count <= 2 {
		if err := t.keep(detail); err != nil {
			fmt.Fprintln(t.Out, "torture: keep:", err)
		}
	}
}

// keep saves the files of this case, up to 64 MiB of them, and a report.
func (t *trial) keep(detail string) error {
	to := filepath.Join(t.Keep, fmt.Sprintf("%s-%d", t.kind, t.index))
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	text := fmt.Sprintf("make torture SEED=%d KIND=%s FIRST=%d COUNT=1\n\n%s\n\n%s\n", t.Seed, t.kind, t.index, strings.Join(t.notes,
		"\n"), detail)
	if err := os.WriteFile(filepath.Join(to, "report.txt"), []byte(text), 0o666); err != nil {
		return err
	}
	left := int64(64 << 20)
	return filepath.WalkDir(t.dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it is only a copy for people
		}
		st, err := d.Info()
		if err != nil || st.Size() > left {
			return nil
		}
		left -= st.Size()
		rel, err := filepath.Rel(t.dir, p)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil
		}
		at := filepath.Join(to, "files", rel)
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			return err
		}
		return os.WriteFile(at, b, 0o666)
	})
}

// report prints what failed, the most frequent last, and whether nothing did that is not known.
func (c *campaign) report(took time.Duration) bool {
	slices.SortStableFunc(c.order, func(a, b string) int { return c.failures[a].count - c.failures[b].count })
	bad := 0
	if len(c.order) > 0 {
		fmt.Fprintln(c.Out, "\nwhat failed, how often, and how to see it again:")
	}
	for _, s := range c.order {
		f := c.failures[s]
		if f.known == "" {
			bad++
		}
		fmt.Fprintf(c.Out, "%6d  %s  %s\n", f.count, s, f.repeat)
		if f.known != "" {
			fmt.Fprintf(c.Out, "        known: %s\n", f.known)
		}
	}
	fmt.Fprintf(c.Out, "torture: SEED=%d, %.0f s, %d ways to fail, %d of them known\n", c.Seed, took.Seconds(), len(c.order),
		len(c.order)-bad)
	return bad == 0
}

// short is s cut to n bytes.
func short(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
