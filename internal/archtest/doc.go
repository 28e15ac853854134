// Package archtest holds the rules of the house as ordinary tests: who may import whom, what core must not
// do, which names and sizes are allowed, and what must never reach the shipped binary.
//
// It has no code of its own and nothing imports it. Each rule is a table with its reason beside it; a
// failing test prints that reason. Start reading at rooms_test.go. A rule that makes a piece of code worse
// may get an exception: add it to the table of exceptions with its reason, so that a reviewer sees it.
package archtest
