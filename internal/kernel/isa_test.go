package kernel

import "testing"

// eachISA runs f once per instruction set of this machine.
func eachISA(t *testing.T, f func(t *testing.T)) {
	for _, i := range ISAs() {
		t.Run(i.String(), func(t *testing.T) {
			restore, ok := ForceISA(i)
			if !ok {
				t.Fatalf("ForceISA(%v) refused a listed instruction set", i)
			}
			defer restore()
			f(t)
		})
	}
}

func TestISA(t *testing.T) {
	if l := ISAs(); l[0] != Generic {
		t.Errorf("first is %v, want generic", l[0])
	}
	if got := wantedISA("GENERIC"); got != Generic {
		t.Errorf("GTK_ISA=GENERIC gives %v", got)
	}
	if l := ISAs(); wantedISA("sse9") != l[len(l)-1] {
		t.Error("an unknown name must give the best one")
	}
	if _, ok := ForceISA(ISA(99)); ok {
		t.Error("ForceISA accepts an unknown instruction set")
	}
	old := CurrentISA()
	seen := Generic
	onISA(func(i ISA) { seen = i })
	defer func() { isaChoosers = isaChoosers[:len(isaChoosers)-1] }()
	if seen != old {
		t.Errorf("onISA called with %v, want %v", seen, old)
	}
	restore, _ := ForceISA(Generic)
	if seen != Generic || CurrentISA() != Generic {
		t.Error("ForceISA did not reach the choosers")
	}
	restore()
	if seen != old {
		t.Error("restore did not reach the choosers")
	}
}
