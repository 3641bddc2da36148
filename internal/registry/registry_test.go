package registry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func ExampleTable() {
	rules := Table[float64]{Kind: "optimiser"}
	rules.Register("sgd", 0.1, "plain gradient descent", "https://example.org/sgd")
	rules.Register("adam", 0.001, "adaptive moments", "https://arxiv.org/abs/1412.6980")
	for _, e := range rules.Entries() {
		fmt.Println(e.Name, "-", e.Doc)
	}
	_, err := rules.Lookup("Adma")
	fmt.Println(err)
	// Output:
	// adam - adaptive moments
	// sgd - plain gradient descent
	// unknown optimiser "Adma"; did you mean "adam"?
}

func TestTable(t *testing.T) {
	var table Table[int]
	if _, err := table.Lookup("x"); err == nil || table.Len() != 0 || len(table.Names()) != 0 {
		t.Error("the empty table has something")
	}
	for i, n := range []string{"c", "a", "b"} {
		table.Register(n, i, "doc "+n, "url "+n)
	}
	if v, err := table.Lookup("a"); v != 1 || err != nil {
		t.Error(v, err)
	}
	if e, err := table.Entry("b"); err != nil || e != (Entry[int]{"b", 2, "doc b", "url b"}) {
		t.Error(e, err)
	}
	var order []string
	for n, v := range table.All() {
		order = append(order, fmt.Sprint(n, v))
		if n == "b" {
			break
		}
	}
	if !slices.Equal(order, []string{"a1", "b2"}) || table.Len() != 3 {
		t.Error(order)
	}
	for _, name := range []string{"a", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("registering %q did not panic", name)
				}
			}()
			table.Register(name, 0, "", "")
		}()
	}
	_, err := table.Lookup("zzzzzz")
	var u *UnknownError
	if !errors.As(err, &u) || u.Name != "zzzzzz" || !slices.Equal(u.Known, []string{"a", "b", "c"}) {
		t.Error(err)
	}
	if err.Error() != `unknown  "zzzzzz"; known: a, b, c` {
		t.Error(err)
	}
	for i := range 50 {
		table.Register(fmt.Sprint("entry", i), 0, "", "")
	}
	if _, err := table.Lookup("zzzzzz"); !strings.Contains(err.Error(), "none of the 53 known") {
		t.Error(err)
	}
	if _, err := table.Lookup(strings.Repeat("é", 1000)); len(err.Error()) > 250 {
		t.Error(err)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"adam", "adamw", "adagrad", "sgd", "momentum", "gradcam", "gradcam++", "normgrad", "integrated-gradients"}
	for name, want := range map[string]string{
		"adam":                 "adam adamw",
		"ADAMW":                "adamw adam",
		"adma":                 "adam",
		"sdg":                  "sgd",
		"momentun":             "momentum",
		"grad-cam":             "gradcam gradcam++",
		"integrated_gradients": "integrated-gradients",
		"integ":                "integrated-gradients",
		"xyz":                  "",
		"":                     "",
		"a":                    "",
	} {
		if got := strings.Join(Suggest(name, known), " "); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Suggest("aa1", []string{"aa2", "aa3", "aa4", "aa5"}); !slices.Equal(got, []string{"aa2", "aa3", "aa4"}) {
		t.Error(got)
	}
	start := time.Now()
	if got := Suggest(strings.Repeat("adam", 1<<18), known); len(got) != 0 || time.Since(start) > 5*time.Second {
		t.Error(got, time.Since(start))
	}
}

// reachable is the distance by breadth-first search over edits of strings of at most four letters a, b, c.
func reachable(from string) map[string]int {
	const letters = "abc"
	dist := map[string]int{from: 0}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		var next []string
		for i := range len(s) + 1 {
			for _, c := range letters {
				next = append(next, s[:i]+string(c)+s[i:])
				if i < len(s) {
					next = append(next, s[:i]+string(c)+s[i+1:])
				}
			}
			if i < len(s) {
				next = append(next, s[:i]+s[i+1:])
			}
			if i+1 < len(s) {
				next = append(next, s[:i]+s[i+1:i+2]+s[i:i+1]+s[i+2:])
			}
		}
		for _, n := range next {
			if _, seen := dist[n]; !seen && len(n) <= 5 {
				dist[n] = dist[s] + 1
				queue = append(queue, n)
			}
		}
	}
	return dist
}

// The distance is that of the shortest path of edits, found by search.
func TestDistance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, from := range []string{"", "a", "ab", "abc", "abca", "cab", "bca"} {
		for to, want := range reachable(from) {
			if len(to) > 4 {
				continue // paths through longer strings were not searched
			}
			if got := distance([]rune(from), []rune(to)); got != want {
				t.Errorf("%q to %q: %d, want %d", from, to, got, want)
			}
		}
	}
	for range 200 { // symmetric
		a, b := make([]rune, r.IntN(12)), make([]rune, r.IntN(12))
		for i := range a {
			a[i] = 'a' + r.Int32N(3)
		}
		for i := range b {
			b[i] = 'a' + r.Int32N(3)
		}
		if distance(a, b) != distance(b, a) {
			t.Errorf("%q %q", string(a), string(b))
		}
	}
}
