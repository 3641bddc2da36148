// Package torture is the campaign of hostile inputs and faults: it runs gtk on models, data sets and options that lie, and breaks what gtk
// stands on while it works: it is killed, interrupted, and given full disks, few descriptors and little memory. `make torture` runs it.
//
// A case is known by the seed of its campaign, its kind and its number, so that whatever fails can be run again. It needs Linux, whose
// /proc it reads.
package torture
