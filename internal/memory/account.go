// Package memory is the one account of the memory of this process. Whoever is about to allocate something large, whose size a file or a
// flag claims, asks here first; what does not fit is refused with the size, what is left, and the flag that gives more.
package memory

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Small is the size in bytes below which nobody needs to ask.
const Small = 1 << 20

var account struct {
	sync.Mutex
	budget  int64 // bytes in all; 0 until first asked
	chosen  bool  // by SetBudget
	taken   int64 // bytes of grants that are held
	turns   int64 // bytes of those that Turn gave
	holders int   // of turns
	freed   *sync.Cond
}

func init() { account.freed = sync.NewCond(&account.Mutex) }

// share of the memory that is free when the process starts which is its budget.
const share = 0.8

// SetBudget sets how many bytes the process may hold, in place of a share of what the machine has free; 0 goes back to that.
func SetBudget(n int64) {
	account.Lock()
	defer account.Unlock()
	account.budget, account.chosen = n, n != 0
	account.freed.Broadcast()
}

// Budget is how many bytes the process may hold, and whether SetBudget chose it.
func Budget() (bytes int64, chosen bool) {
	account.Lock()
	defer account.Unlock()
	return budget(), account.chosen
}

// budget is called with the account locked.
func budget() int64 {
	if account.budget == 0 {
		account.budget = math.MaxInt64
		if n, ok := machine(); ok { // of a limited address space it is measured each time what is left, see room
			account.budget = int64(share * float64(n))
		}
	}
	return account.budget
}

// Error is the refusal of memory.
type Error struct {
	What string // that needs it, as "the picture a.png"
	Need int64  // bytes
	Left int64  // bytes
	Hard bool   // what is left is what the system gives the process, not the budget
}

// Error says what to do as well.
func (e *Error) Error() string {
	way := "raise the limit with --max-memory, or make it smaller"
	if e.Hard {
		way = "the system gives this process no more, whatever --max-memory says (ulimit -v, the control group or the machine): raise that, " +
			"or make it smaller"
	}
	return fmt.Sprintf("%s needs %s of memory, and %s are left: %s", e.What, Size(e.Need), Size(e.Left), way)
}

// Size is n bytes in words, as "24 MiB".
func Size(n int64) string {
	switch {
	case n < 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<50:
		return "more than 1024 TiB"
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// Grant is memory that may be allocated. It counts until Release, or until the owner that it is tied to is collected.
type Grant struct {
	bytes int64
	turn  bool
	once  sync.Once
}

// Release gives a grant back; a second time does nothing. A nil grant has nothing to give.
func (g *Grant) Release() {
	if g == nil {
		return
	}
	g.once.Do(func() {
		account.Lock()
		defer account.Unlock()
		account.taken -= g.bytes
		if g.turn {
			account.turns -= g.bytes
			account.holders--
		}
		account.freed.Broadcast()
	})
}

// Tie releases g when owner, which holds the memory, is collected.
func Tie[T any](g *Grant, owner *T) {
	if g != nil {
		runtime.AddCleanup(owner, (*Grant).Release, g)
	}
}

// Take asks for n bytes for what, which an error names. It does not wait, but for one collection of garbage where memory is short.
func Take(n int64, what string) (*Grant, error) {
	if n < 0 {
		n = math.MaxInt64
	}
	for try := range 2 {
		account.Lock()
		left, hard := left(n)
		most := account.budget
		if n <= left {
			account.taken += n
			account.Unlock()
			return &Grant{bytes: n}, nil
		}
		account.Unlock()
		if try > 0 || n > most {
			return nil, &Error{What: what, Need: n, Left: left, Hard: hard}
		}
		collect()
	}
	panic("memory: unreachable")
}

// left is what the account has for one who asks for n bytes; what is in use beside the grants is measured. hard says that the system has
// less than the budget. The account is locked.
func left(n int64) (bytes int64, hard bool) {
	used := inUse()
	bytes = budget() - max(account.taken, used)
	r, piece, ok := room()
	if r = min(r-small, piece); !ok && n >= 256<<20 {
		r, ok = Free()
	}
	if r -= max(0, account.taken-used); ok && r < bytes { // granted and not yet there
		bytes, hard = r, true
	}
	return max(0, bytes), hard
}

// small is what is left for all that nobody asks for, where the system ends a process that has no more.
const small = 24 << 20

// Left is how many bytes can be asked for.
func Left() int64 {
	account.Lock()
	defer account.Unlock()
	n, _ := left(0)
	return n
}

// collect collects garbage and lets grants tied to it go.
func collect() {
	runtime.GC()
	time.Sleep(time.Millisecond) // cleanups run beside
}

// inUse is the bytes of objects on the heap, garbage that is not yet swept included.
func inUse() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// Settle has the collector of garbage work within the budget: what is garbage is collected before the process has more memory than that.
// A program calls it once, when the budget is set.
func Settle() {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	if n := int64(s[0].Value.Uint64()-s[1].Value.Uint64()) + Left(); n > 0 && n < debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(n)
	}
}

// atOnce is how much those who take turns hold together, and pair how much two of them may, unless one alone needs more.
const (
	atOnce = 384 << 20
	pair   = 1088 << 20
)

// Turn asks for n bytes for work that gives them back soon, such as decoding a picture. It waits while others who took a turn hold so much
// that there is no room, so that the number of threads does not multiply what is held. Whoever holds a turn must not ask for another.
func Turn(n int64, what string) (*Grant, error) {
	account.Lock()
	for account.turns > 0 {
		most := int64(atOnce)
		if account.holders == 1 {
			most = pair
		}
		if left, _ := left(n); n <= min(most-account.turns, left) {
			break
		}
		account.freed.Wait()
	}
	account.turns += n
	account.holders++
	account.Unlock()
	g, err := Take(n, what)
	if err != nil {
		account.Lock()
		account.turns -= n
		account.holders--
		account.freed.Broadcast()
		account.Unlock()
		return nil, err
	}
	g.turn = true
	return g, nil
}
