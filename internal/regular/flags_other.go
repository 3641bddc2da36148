//go:build !unix

package regular

// NoWait is no flag: there are no pipes in folders here.
const NoWait = 0
