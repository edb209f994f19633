package merge

import (
	"context"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// An Arrival is a bundle with what is known of it without knowing what else is here:
// whether it is whole, who signed it, and what of its content stands against it. All
// that is a pure function of its bytes and a roll, so it can be worked out before the
// bundle's turn, by many at once; under another roll it is worked out again.
type Arrival struct {
	raw     []byte
	bundle  store.Bundle // with its changes once it was opened
	message *cose.Message
	fault   error // it is not whole

	verified *trust.Roll // under which known and forged were found
	known    bool
	forged   error

	judged  *trust.Roll // under which reason was found
	decoded bool
	torn    error // what decoding said
	reason  error
}

// maxAhead bounds the expanded size of what is opened ahead at once: many may wait.
const maxAhead = 512 << 10

func arrive(raw []byte) *Arrival {
	a := &Arrival{raw: raw}
	a.bundle, a.message, a.fault = bundle.Parse(raw)
	return a
}

// Look reads bundles ahead of their turn, which TakeLooked then makes short.
func (m *Merger) Look(ctx context.Context, raws ...[]byte) []*Arrival {
	roll, err := m.Roll(ctx)
	arrivals, ahead := make([]*Arrival, len(raws)), uint64(0)
	for i, raw := range raws {
		a := arrive(raw)
		arrivals[i] = a
		if err != nil || a.fault != nil {
			continue
		}
		if ahead += bundle.Expanded(a.message); ahead > maxAhead {
			continue
		}
		if known, forged := a.verify(roll); known && forged == nil {
			_ = a.open(roll) // said again in its turn
		}
	}
	return arrivals
}

// verify says whether the roll knows who signed, and what is wrong with the signature.
func (a *Arrival) verify(roll *trust.Roll) (known bool, forged error) {
	if a.verified != roll {
		certificate, known := roll.NodeKey(a.bundle.Node, a.message.KID)
		a.verified, a.known, a.forged = roll, known, nil
		if known {
			a.forged = a.message.Verify(certificate.Key)
		}
	}
	return a.known, a.forged
}

// open decodes a bundle whose signature has been verified, and judges its content.
func (a *Arrival) open(roll *trust.Roll) (reason error) {
	if !a.decoded {
		a.decoded, a.torn = true, bundle.DecodeParsed(&a.bundle, a.message)
	}
	if a.torn != nil {
		return a.torn
	}
	if a.judged != roll {
		a.judged, a.reason = roll, judge(roll, &a.bundle)
	}
	return a.reason
}
