package memstore_test

import (
	"testing"

	"levada/internal/adapter/store/storetest"
	"levada/test/sim/memstore"
)

// whole is a store in memory where a whole one is asked for. The suite's core calls nothing of the rest, which is not there.
type whole struct {
	*memstore.Store
	rest
}

type rest struct{ storetest.Store }

func TestTheMemoryStoreKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Core(t, func(testing.TB) storetest.Store { return whole{Store: memstore.New()} })
}
