"""Prices of the catalogue's products by QuantLib's analytic engines, without interest.

One world: the index starts at SPOT ticks and moves by VOLATILITY a year for YEARS. Barriers and
extremes of QuantLib are of a path seen at all times; one seen STEPS times only differs by a shift
of the barrier (M. Broadie, P. Glasserman, S. Kou, "A continuity correction for discrete barrier
options", Mathematical Finance 7, 1997; "Connecting discrete and continuous path-dependent
options", Finance and Stochastics 3, 1999): by BGK * VOLATILITY * sqrt(a step), outwards.
"""

import math

import QuantLib as ql

SPOT = 1_000_000
VOLATILITY = 0.5
YEARS = 0.5
STEPS = 250
BGK = 0.5825971579390107  # -zeta(1/2) / sqrt(2 pi)
SHIFT = math.exp(BGK * VOLATILITY * math.sqrt(YEARS / STEPS))

CALL, PUT = ql.Option.Call, ql.Option.Put
TODAY = ql.Date(2, 1, 2025)
# Half a year by this count of days is exact.
DAYS = ql.Actual360()
EXPIRY = TODAY + ql.Period(int(360 * YEARS), ql.Days)


def process(interest: float = 0.0) -> ql.BlackScholesMertonProcess:
    """Give the world's process."""
    ql.Settings.instance().evaluationDate = TODAY
    flat = ql.YieldTermStructureHandle(ql.FlatForward(TODAY, 0.0, DAYS))
    rate = ql.YieldTermStructureHandle(ql.FlatForward(TODAY, interest, DAYS))
    smile = ql.BlackConstantVol(TODAY, ql.NullCalendar(), VOLATILITY, DAYS)
    spot = ql.QuoteHandle(ql.SimpleQuote(float(SPOT)))
    return ql.BlackScholesMertonProcess(spot, flat, rate, ql.BlackVolTermStructureHandle(smile))


def vanilla(kind: int, strike: float) -> float:
    """Price a European option by Black's formula."""
    return float(ql.blackFormula(kind, strike, float(SPOT), VOLATILITY * math.sqrt(YEARS)))


def digital(kind: int, strike: float, pays: float) -> float:
    """Price a payment at expiry where the index ends beyond the strike."""
    option = ql.VanillaOption(
        ql.CashOrNothingPayoff(kind, float(strike), float(pays)), ql.EuropeanExercise(EXPIRY)
    )
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process()))
    return float(option.NPV())


def one_touch(kind: int, barrier: float, pays: float) -> float:
    """Price a payment at expiry where the index has touched; CALL touches upwards."""
    shifted = barrier * SHIFT if kind == CALL else barrier / SHIFT
    # An American digital that pays at expiry.
    exercise = ql.AmericanExercise(TODAY, EXPIRY, True)
    option = ql.VanillaOption(ql.CashOrNothingPayoff(kind, shifted, float(pays)), exercise)
    option.setPricingEngine(ql.AnalyticDigitalAmericanEngine(process()))
    return float(option.NPV())


def no_touch_double(low: float, high: float, pays: float) -> float:
    """Price a payment at expiry where the index has touched neither barrier."""
    option = ql.DoubleBarrierOption(
        ql.DoubleBarrier.KnockOut,
        low / SHIFT,
        high * SHIFT,
        0.0,
        ql.CashOrNothingPayoff(CALL, 1e-3, float(pays)),
        ql.EuropeanExercise(EXPIRY),
    )
    option.setPricingEngine(ql.AnalyticDoubleBarrierBinaryEngine(process()))
    return float(option.NPV())


def knock(which: int, kind: int, barrier: float, strike: float, rebate: float) -> float:
    """Price a barrier option without a rebate, and add one that is paid at expiry."""
    up = which in (ql.Barrier.UpIn, ql.Barrier.UpOut)
    shifted = barrier * SHIFT if up else barrier / SHIFT
    option = ql.BarrierOption(
        which, shifted, 0.0, ql.PlainVanillaPayoff(kind, float(strike)), ql.EuropeanExercise(EXPIRY)
    )
    option.setPricingEngine(ql.AnalyticBarrierEngine(process()))
    touched = one_touch(CALL if up else PUT, barrier, rebate)
    out = which in (ql.Barrier.UpOut, ql.Barrier.DownOut)
    return float(option.NPV()) + (touched if out else rebate - touched)


def lookback(kind: int, strike: float) -> float:
    """Price the greatest observation beyond a strike, or the least below it."""
    # The greatest of some observations is about the greatest at all times, divided by the shift.
    scale = 1 / SHIFT if kind == CALL else SHIFT
    option = ql.ContinuousFixedLookbackOption(
        float(SPOT), ql.PlainVanillaPayoff(kind, strike / scale), ql.EuropeanExercise(EXPIRY)
    )
    # The engine divides by the interest; this little moves the index by five ticks.
    option.setPricingEngine(ql.AnalyticContinuousFixedLookbackEngine(process(1e-5)))
    return scale * float(option.NPV())


def geometric_asian(kind: int, strike: float) -> float:
    """Price an option on the geometric mean of the observations."""
    sigma, mean = VOLATILITY, math.log(SPOT)
    # ln of the mean is normal: sums over i of (n + 1 - i) steps, and of their squares.
    step = YEARS / STEPS
    drift = -(sigma**2) / 2 * step * (STEPS + 1) / 2
    variance = sigma**2 * step * (STEPS + 1) * (2 * STEPS + 1) / (6 * STEPS)
    forward = math.exp(mean + drift + variance / 2)
    return float(ql.blackFormula(kind, float(strike), forward, math.sqrt(variance)))


def arithmetic_asian(kind: int, strike: float) -> float:
    """Price an option on the arithmetic mean, by two matched moments (Turnbull and Wakeman)."""
    step = YEARS / STEPS
    growth = math.exp(VOLATILITY**2 * step)
    # E[mean**2] = (SPOT / n)**2 * sum over i, j of growth**min(i, j).
    second = sum(growth**i * (2 * (STEPS - i) + 1) for i in range(1, STEPS + 1)) / STEPS**2
    return float(ql.blackFormula(kind, float(strike), float(SPOT), math.sqrt(math.log(second))))


def fair_variance() -> float:
    """Give the fair variance of a year by the replication of QuantLib."""
    swap = ql.VarianceSwap(ql.Position.Long, VOLATILITY**2, 1.0, TODAY, EXPIRY)
    strikes = [SPOT * math.exp(k / 100) for k in range(-300, 301)]
    engine = ql.ReplicatingVarianceSwapEngine(
        process(),
        1.0,
        [k for k in strikes if k >= SPOT],
        [k for k in strikes if k <= SPOT],
    )
    swap.setPricingEngine(engine)
    return float(swap.variance())
