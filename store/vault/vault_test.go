package vault_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store/vault"
	"ironfeet/store/world"
)

type clock struct{ now time.Time }

func (c *clock) world(seed byte) world.World {
	w := world.Real()
	w.Now = func() time.Time { return c.now }
	w.Rand = world.Shared(rand.NewChaCha8([32]byte{seed}))
	return w
}

var (
	jia, yi = uuid.UUID{0: 1}, uuid.UUID{0: 2}
	start   = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
)

// shared is a tablet that two workers share.
func shared(t testing.TB, w world.World, dir string) (*vault.Vault, *vault.Keys) {
	v, err := vault.Create(w, dir)
	require.NoError(t, err)
	k, err := v.First()
	require.NoError(t, err)
	_, err = v.AddPerson(k, jia, "走访员甲", "135790")
	require.NoError(t, err)
	_, err = v.AddPerson(k, yi, "走访员乙", "246801")
	require.NoError(t, err)
	return v, k
}

func reopen(t testing.TB, w world.World, dir string) *vault.Vault {
	v, err := vault.Open(w, dir)
	require.NoError(t, err)
	return v
}

func TestSeveralWorkersShareATablet(t *testing.T) {
	c, dir := &clock{start}, t.TempDir()
	v, k := shared(t, c.world(1), dir)
	sealed := k.Seal("x", []byte("the same for both"))
	require.NoError(t, k.PutSecret("node.key", []byte("seed")))
	for id, pin := range map[uuid.UUID]string{jia: "135790", yi: "246801"} {
		v = reopen(t, c.world(2), dir)
		k, err := v.Unlock(id, pin)
		require.NoError(t, err)
		plain, err := k.Open("x", sealed)
		require.NoError(t, err)
		require.Equal(t, "the same for both", string(plain))
		secret, err := k.Secret("node.key")
		require.NoError(t, err)
		require.Equal(t, "seed", string(secret))
	}
	_, err := v.Unattended()
	require.ErrorIs(t, err, vault.ErrNeedsPIN)

	// One leaves; the other reads on, and nothing was encrypted anew.
	require.NoError(t, v.RemovePerson(jia))
	v = reopen(t, c.world(3), dir)
	_, err = v.Unlock(jia, "135790")
	require.Error(t, err)
	_, err = v.PersonKey(jia, "135790")
	require.Error(t, err)
	k, err = v.Unlock(yi, "246801")
	require.NoError(t, err)
	_, err = k.Open("x", sealed)
	require.NoError(t, err)
	require.ErrorIs(t, v.RemovePerson(yi), vault.ErrLastPerson)
	require.NoError(t, v.RemovePerson(jia), "twice is once")
}

func TestANewPINKeepsTheSigningKey(t *testing.T) {
	c, dir := &clock{start}, t.TempDir()
	v, _ := shared(t, c.world(1), dir)
	before, err := v.PersonKey(jia, "135790")
	require.NoError(t, err)
	require.Error(t, v.ChangePIN(jia, "999999", "807061"))
	var pin *vault.PINError
	require.ErrorAs(t, v.ChangePIN(jia, "135790", "123456"), &pin)
	require.NoError(t, v.ChangePIN(jia, "135790", "807061"))
	v = reopen(t, c.world(2), dir)
	_, err = v.Unlock(jia, "135790")
	require.Error(t, err)
	after, err := v.PersonKey(jia, "807061")
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = v.Unlock(yi, "246801")
	require.NoError(t, err)
}

func TestPINsThatAreTaken(t *testing.T) {
	for pin, code := range map[string]string{
		"12345": "vault.pin_short", "": "vault.pin_short", "111111": "vault.pin_simple", "123456": "vault.pin_simple", "987654": "vault.pin_simple",
		"135790": "", "000001": "", "密码密码密码": "",
	} {
		err := vault.CheckPIN(pin)
		if code == "" {
			require.NoError(t, err, pin)
			continue
		}
		var e *vault.PINError
		require.ErrorAs(t, err, &e, pin)
		require.Equal(t, code, e.Code(), pin)
	}
}

func TestWrongPINsAreCountedAndSlowDown(t *testing.T) {
	c, dir := &clock{start}, t.TempDir()
	v, _ := shared(t, c.world(1), dir)
	var wrong *vault.WrongPINError
	for n := range 4 {
		_, err := v.Unlock(jia, "246801") // another's PIN opens nothing
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, n+1, wrong.Fails)
		require.Zero(t, wrong.Wait)
	}
	_, err := v.Unlock(jia, "000000")
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, 10*time.Second, wrong.Wait)
	v = reopen(t, c.world(2), dir) // starting again helps nobody
	require.Equal(t, 5, v.WrongPINs(jia))
	require.Zero(t, v.WrongPINs(yi))
	_, err = v.Unlock(jia, "135790")
	require.ErrorAs(t, err, &wrong, "too soon, even with the right one")
	require.Equal(t, 5, v.WrongPINs(jia), "and what is not looked at is not counted")
	_, err = v.Unlock(yi, "246801")
	require.NoError(t, err, "a colleague does not wait")
	last := time.Duration(0)
	for range 12 {
		c.now = c.now.Add(wrong.Wait)
		_, err = v.Unlock(jia, "000000")
		require.ErrorAs(t, err, &wrong)
		require.GreaterOrEqual(t, wrong.Wait, last)
		last = wrong.Wait
	}
	require.Equal(t, 15*time.Minute, last)
	c.now = c.now.Add(-48 * time.Hour) // a clock set back locks nobody out for days
	_, err = v.Unlock(jia, "135790")
	require.ErrorAs(t, err, &wrong)
	require.LessOrEqual(t, wrong.Wait, 15*time.Minute)
	c.now = c.now.Add(48*time.Hour + last)
	_, err = v.Unlock(jia, "135790")
	require.NoError(t, err)
	require.Zero(t, v.WrongPINs(jia))
}

// deafDisk lets nothing be written any more.
type deafDisk struct{ world.Disk }

func (deafDisk) Create(string) (world.File, error) { return nil, errors.New("no power") }

// Cutting the power in the middle of a try does not make it undone.
func TestATryIsCountedBeforeItIsLookedAt(t *testing.T) {
	c, dir := &clock{start}, t.TempDir()
	shared(t, c.world(1), dir)
	w := c.world(2)
	w.Disk = deafDisk{world.OS{}}
	_, err := reopen(t, w, dir).Unlock(jia, "135790")
	require.ErrorContains(t, err, "no power", "a try that cannot be counted is not made")
}

func TestAutoLockForgetsTheKey(t *testing.T) {
	c := &clock{start}
	_, k := shared(t, c.world(1), t.TempDir())
	sealed := k.Seal("x", []byte("y"))
	c.now = c.now.Add(4 * time.Minute)
	require.False(t, k.LockIfIdle(5*time.Minute))
	k.Touch()
	c.now = c.now.Add(4 * time.Minute)
	require.False(t, k.LockIfIdle(5*time.Minute))
	c.now = c.now.Add(-time.Hour) // set back: no reason to lock, none never to
	require.False(t, k.LockIfIdle(5*time.Minute))
	c.now = c.now.Add(5 * time.Minute)
	require.True(t, k.LockIfIdle(5*time.Minute))
	_, err := k.Open("x", sealed)
	require.ErrorIs(t, err, vault.ErrLocked)
	_, err = k.AppendSeal(nil, "x", nil)
	require.ErrorIs(t, err, vault.ErrLocked)
	_, err = k.Secret("x")
	require.Error(t, err)
	require.ErrorIs(t, k.PutSecret("x", nil), vault.ErrLocked)
	require.Nil(t, k.BlindIndex("x"))
	require.Panics(t, func() { k.Seal("x", nil) })
	k.Lock()
}

// Locking while others seal never seals under a key that is half wiped.
func TestLockingWhileOthersSeal(t *testing.T) {
	v, k := shared(t, (&clock{start}).world(1), t.TempDir())
	other, err := v.Unlock(jia, "135790")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				sealed, err := k.AppendSeal(nil, "x", []byte("an answer"))
				if err != nil {
					return
				}
				plain, err := other.Open("x", sealed)
				if err != nil || string(plain) != "an answer" {
					t.Error("sealed what nobody can open")
					return
				}
				runtime.Gosched()
			}
		})
	}
	runtime.Gosched()
	k.Lock()
	wg.Wait()
}

func TestWhatIsSealedIsBoundToItsPlace(t *testing.T) {
	_, k := shared(t, (&clock{start}).world(1), t.TempDir())
	_, foreign := shared(t, (&clock{start}).world(9), t.TempDir())
	sealed := k.Seal("heads/value/1", []byte("600"))
	back, err := k.Open("heads/value/1", sealed)
	require.NoError(t, err)
	require.Equal(t, "600", string(back))
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another row": func() ([]byte, error) { return k.Open("heads/value/2", sealed) },
		"another key": func() ([]byte, error) { return foreign.Open("heads/value/1", sealed) },
		"a bit":       func() ([]byte, error) { return k.Open("heads/value/1", flipped) },
		"cut off":     func() ([]byte, error) { return k.Open("heads/value/1", sealed[:20]) },
		"nothing":     func() ([]byte, error) { return k.Open("heads/value/1", nil) },
	} {
		_, err := try()
		require.ErrorIs(t, err, vault.ErrSealed, name)
	}
	require.NotEqual(t, sealed, k.Seal("heads/value/1", []byte("600")), "nonces do not repeat")
	require.Equal(t, k.BlindIndex("459921"), k.BlindIndex("459921"))
	require.NotEqual(t, k.BlindIndex("459921"), foreign.BlindIndex("459921"))
}

// ring is a keyring in memory.
type ring map[string]string

func (r ring) Get(name string) (string, error) {
	if s, ok := r[name]; ok {
		return s, nil
	}
	return "", world.ErrNoSecret
}
func (r ring) Set(name, secret string) error { r[name] = secret; return nil }
func (r ring) Delete(name string) error      { delete(r, name); return nil }

// broken is a keyring that takes nothing.
type broken struct{ ring }

func (broken) Set(string, string) error { return errors.New("no session") }

// forgetful is a keyring that says it took a secret.
type forgetful struct{ ring }

func (forgetful) Set(string, string) error { return nil }

func TestTheDeviceSecretLiesInTheKeyringWhereThereIsOne(t *testing.T) {
	c, dir, keys := &clock{start}, t.TempDir(), ring{}
	w := c.world(1)
	w.Keyring = keys
	v, k := shared(t, w, dir)
	require.NoError(t, v.AllowUnattended(k))
	require.True(t, v.InKeyring())
	require.Len(t, keys, 1)
	require.NoFileExists(t, filepath.Join(dir, "device.secret"))
	_, err := reopen(t, w, dir).Unlock(jia, "135790")
	require.NoError(t, err)

	// Whoever takes the folder alone has nothing to try PINs on.
	v = reopen(t, c.world(2), dir)
	_, err = v.Unlock(jia, "135790")
	require.ErrorIs(t, err, vault.ErrDeviceLost)
	_, err = v.Unattended()
	require.ErrorIs(t, err, vault.ErrDeviceLost)
	require.Zero(t, v.WrongPINs(jia))

	for _, none := range []world.Keyring{broken{ring{}}, forgetful{ring{}}} {
		dir = t.TempDir()
		w.Keyring = none
		v, _ = shared(t, w, dir)
		require.False(t, v.InKeyring())
		info, err := os.Stat(filepath.Join(dir, "device.secret"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestTheCountyRecoversAForgottenPIN(t *testing.T) {
	county, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	for _, lost := range []bool{false, true} { // the PIN alone; the device secret too
		c, dir := &clock{start}, t.TempDir()
		v, k := shared(t, c.world(1), dir)
		_, err = v.AskRecovery(jia)
		var e *vault.RecoveryError
		require.ErrorAs(t, err, &e)
		require.Equal(t, "none", e.Why)
		require.NoError(t, v.SetRecovery(k, county.Recipient().String()))
		sealed := k.Seal("visit", []byte("what a worker wrote for three weeks"))
		require.NoError(t, k.PutSecret("node.key", []byte("seed")))
		if lost {
			require.NoError(t, os.Remove(filepath.Join(dir, "device.secret")))
		}

		v = reopen(t, c.world(2), dir)
		_, err = v.AskRecovery(uuid.New())
		require.ErrorAs(t, err, &e, "nobody's")
		request, err := v.AskRecovery(jia)
		require.NoError(t, err)
		v = reopen(t, c.world(3), dir) // the answer may take days
		again, err := v.AskRecovery(jia)
		require.NoError(t, err)
		require.Equal(t, string(request), string(again), "whoever looks once more asks for the same")
		who, err := vault.ReadRecovery(request)
		require.NoError(t, err)
		require.Equal(t, jia, who.Person)
		require.Equal(t, "走访员甲", who.Name)
		require.Regexp(t, `^\d{6}$`, who.Check)
		_, err = vault.AnswerRecovery(request, other)
		require.ErrorAs(t, err, &e)
		require.Equal(t, "not_ours", e.Why)
		answer, err := vault.AnswerRecovery(request, other, county)
		require.NoError(t, err)
		require.NotContains(t, string(answer), string(request[:60]))

		strange, _ := shared(t, c.world(4), t.TempDir())
		_, err = strange.Recover(answer, "918273")
		require.ErrorAs(t, err, &e)
		require.Equal(t, "not_asked", e.Why)
		_, err = v.Recover(request, "918273")
		require.ErrorAs(t, err, &e)
		require.Equal(t, "malformed", e.Why)
		var pin *vault.PINError
		_, err = v.Recover(answer, "123456")
		require.ErrorAs(t, err, &pin, "what is no PIN leaves the answer good")

		k, err = v.Recover(answer, "918273")
		require.NoError(t, err)
		plain, err := k.Open("visit", sealed)
		require.NoError(t, err)
		require.Equal(t, "what a worker wrote for three weeks", string(plain))
		v = reopen(t, c.world(5), dir)
		_, err = v.Unlock(jia, "918273")
		require.NoError(t, err)
		key, err := v.PersonKey(jia, "918273")
		require.NoError(t, err)
		require.True(t, who.Key.Equal(key.Public()), "the key that the county has seen")
		_, err = v.Recover(answer, "918273")
		require.ErrorAs(t, err, &e, "an answer is good once")
	}
}

// Whoever changes a request's name or key is found out; to whom the answer goes is
// what the six digits are compared for.
func TestAForgedRequestForRecovery(t *testing.T) {
	county, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	v, k := shared(t, (&clock{start}).world(1), t.TempDir())
	require.NoError(t, v.SetRecovery(k, county.Recipient().String()))
	request, err := v.AskRecovery(jia)
	require.NoError(t, err)
	honest, err := vault.ReadRecovery(request)
	require.NoError(t, err)
	block, _ := pem.Decode(request)
	for name, old := range map[string][]byte{"another name": []byte("走访员甲"), "another person": jia[:], "another key": honest.Key} {
		t.Run(name, func(t *testing.T) {
			other := bytes.Clone(old)
			other[len(other)-1] ^= 1
			forged := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: bytes.Replace(block.Bytes, old, other, 1)})
			var e *vault.RecoveryError
			_, err := vault.ReadRecovery(forged)
			require.ErrorAs(t, err, &e)
		})
	}
}

func TestABackupOfTheKeys(t *testing.T) {
	c := &clock{start}
	v, k := shared(t, c.world(1), t.TempDir())
	require.NoError(t, v.AllowUnattended(k))
	require.NoError(t, k.PutSecret("root.key", []byte("seed")))
	sealed := k.Seal("x", []byte("y"))
	out, err := k.Export()
	require.NoError(t, err)
	dir := t.TempDir()
	v, err = vault.Create(c.world(2), dir)
	require.NoError(t, err)
	_, err = v.Import(out)
	require.NoError(t, err)
	v = reopen(t, c.world(3), dir)
	require.Empty(t, v.People())
	k, err = v.Unattended()
	require.NoError(t, err)
	plain, err := k.Open("x", sealed)
	require.NoError(t, err)
	require.Equal(t, "y", string(plain))
	secret, err := k.Secret("root.key")
	require.NoError(t, err)
	require.Equal(t, "seed", string(secret))
	_, err = v.Import(out)
	require.Error(t, err)
}

func TestDamagedVaults(t *testing.T) {
	c := &clock{start}
	for name, damage := range map[string]func(dir string) error{
		"cut off":       func(dir string) error { return os.Truncate(filepath.Join(dir, "vault.json"), 100) },
		"another suite": func(dir string) error { return rewrite(dir, "xchacha20poly1305", "rot13") },
		"another form":  func(dir string) error { return rewrite(dir, `"version": 1`, `"version": 9`) },
		"a cost that fills the memory": func(dir string) error {
			return rewrite(dir, `"memory": 8`, `"memory": 4294967295`)
		},
		"device secret cut off": func(dir string) error { return os.Truncate(filepath.Join(dir, "device.secret"), 5) },
	} {
		dir := t.TempDir()
		shared(t, c.world(1), dir)
		require.NoError(t, damage(dir), name)
		_, err := vault.Open(c.world(2), dir)
		var e *vault.DamagedError
		require.ErrorAs(t, err, &e, name)
	}
	_, err := vault.Open(c.world(1), t.TempDir())
	require.ErrorIs(t, err, vault.ErrNoVault)
	dir := t.TempDir()
	shared(t, c.world(1), dir)
	_, err = vault.Create(c.world(1), dir)
	var there *vault.ExistsError
	require.ErrorAs(t, err, &there)
}

func rewrite(dir, old, new string) error {
	name := filepath.Join(dir, "vault.json")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, bytes.ReplaceAll(b, []byte(old), []byte(new)), 0o600)
}

func FuzzAnswerRecovery(f *testing.F) {
	county, err := age.GenerateX25519Identity()
	require.NoError(f, err)
	v, k := shared(f, (&clock{start}).world(1), f.TempDir())
	require.NoError(f, v.SetRecovery(k, county.Recipient().String()))
	request, err := v.AskRecovery(jia)
	require.NoError(f, err)
	block, _ := pem.Decode(request)
	f.Add(block.Bytes)
	f.Add([]byte{0xa0})
	f.Add([]byte{0xa1, 1, 0x40})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = vault.AnswerRecovery(pem.EncodeToMemory(&pem.Block{Type: "IRONFEET RECOVERY REQUEST", Bytes: body}), county)
		_, _ = vault.AnswerRecovery(body, county)
		_, _ = vault.ReadRecovery(pem.EncodeToMemory(&pem.Block{Type: "IRONFEET RECOVERY REQUEST", Bytes: body}))
	})
}

// BenchmarkTryOnePIN is what a person waits for at unlock, and what whoever holds
// disk and device secret pays for each try.
func BenchmarkTryOnePIN(b *testing.B) {
	vault.SetCost(vault.RealCost)
	v, _ := shared(b, world.Real(), b.TempDir())
	for b.Loop() {
		k, err := v.Unlock(jia, "135790")
		require.NoError(b, err)
		k.Lock()
	}
	perTry := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(perTry*1e6/86_400, "machine-days/6-digits")
}
