//go:build !noasm

package kernel

//go:generate go -C _asm run ./ahead -out ../ahead_amd64.s -stubs ../ahead_stubs_amd64.go -pkg kernel

func init() { prefetchRows = prefetchRowsX86 }
