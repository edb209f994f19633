package present

import (
	"context"
	"math"

	"ironfeet/app/casework/space"
)

// A Room is how much this machine's data takes, in fives of MB, and how much of it could
// leave: the county has it and no task here needs it.
type Room struct {
	Taken, Spare float64
	Photos       int // that could leave; their thumbnails stay
}

const megabyte = 1e6

// Room looks for what could leave this machine.
func (s *Session) Room(ctx context.Context) (Room, error) {
	plan, err := space.Default.Look(ctx, s.Office)
	if err != nil {
		return Room{}, err
	}
	return Room{math.Ceil(float64(plan.Space.Total())/megabyte/5) * 5, float64(plan.Bytes) / megabyte, len(plan.Photos)}, nil
}

// MakeRoom lets go of it, and says how many MB went.
func (s *Session) MakeRoom(ctx context.Context) (float64, error) {
	plan, err := space.Default.Look(ctx, s.Office)
	if err != nil {
		return 0, err
	}
	freed, err := plan.Free(ctx, s.Office)
	return float64(freed) / megabyte, err
}
