"""The scalar rules of `execution`, compiled for kernels from their one source.

Each function is given the names of all modules of rules, in which the rules are the compiled ones,
so that rules may call one another in plain Python and in machine code alike. No name may be
defined twice.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper
from quorate.execution import (
    entry_rules,
    options_margin_rules,
    options_rules,
    risk_rules,
    rules,
    series_rules,
    wide,
)

_names: dict[str, Any] = {}
for _module in (
    rules, wide, risk_rules, entry_rules, options_rules, series_rules, options_margin_rules,
):  # fmt: skip
    for _name, _value in vars(_module).items():
        if not isinstance(_value, FunctionType):
            _names[_name] = _value
        elif _value.__module__ == _module.__name__:
            assert _name not in _names, _name
            _names[_name] = helper(FunctionType(_value.__code__, _names, _name))

ppm_ceil = _names["ppm_ceil"]
notional = _names["notional"]
initial = _names["initial"]
maintenance = _names["maintenance"]
tier_rate_ppm = _names["tier_rate_ppm"]
tier_deduction = _names["tier_deduction"]
worst_lots = _names["worst_lots"]
crosses = _names["crosses"]
market_price = _names["market_price"]
entry_closed = _names["entry_closed"]
reducible = _names["reducible"]
leverage_holds = _names["leverage_holds"]
nonce_in_window = _names["nonce_in_window"]
withdrawable_floor = _names["withdrawable_floor"]
trigger_fires = _names["trigger_fires"]
trail_best = _names["trail_best"]
trail_ticks = _names["trail_ticks"]
order_lots = _names["order_lots"]
half_window = _names["half_window"]
sum_bounded = _names["sum_bounded"]
limit_reached = _names["limit_reached"]

product_high = _names["product_high"]
product_low = _names["product_low"]
wide_quotient = _names["wide_quotient"]
mul_div = _names["mul_div"]
mul_div_floor = _names["mul_div_floor"]
mul_div_ceil = _names["mul_div_ceil"]
sizes_in_order = _names["sizes_in_order"]
products_in_order = _names["products_in_order"]

median3 = _names["median3"]
mark_candidate = _names["mark_candidate"]
clamp_move = _names["clamp_move"]
mark_near_index = _names["mark_near_index"]
ema_weight_e9 = _names["ema_weight_e9"]
ema_step = _names["ema_step"]
ema_ticks = _names["ema_ticks"]
premium_e9 = _names["premium_e9"]
funding_rate_e9 = _names["funding_rate_e9"]
funding_hour_e9 = _names["funding_hour_e9"]
power_of_two = _names["power_of_two"]
funding_shift = _names["funding_shift"]
funding_index_step = _names["funding_index_step"]
funding_index_after = _names["funding_index_after"]
funding_payment = _names["funding_payment"]
open_interest_worth = _names["open_interest_worth"]
oi_scaled_initial = _names["oi_scaled_initial"]
confidence_addon = _names["confidence_addon"]
margin_with_mark_holds = _names["margin_with_mark_holds"]
close_out = _names["close_out"]
health = _names["health"]
ratio_kept = _names["ratio_kept"]
zero_price = _names["zero_price"]
fillable_price = _names["fillable_price"]
insurance_delta = _names["insurance_delta"]
liquidation_price = _names["liquidation_price"]
unhedged_lots = _names["unhedged_lots"]
band_low = _names["band_low"]
band_high = _names["band_high"]
gap_auction_ms = _names["gap_auction_ms"]
disposal_lots = _names["disposal_lots"]
disposal_price = _names["disposal_price"]

price_far = _names["price_far"]
aggressive = _names["aggressive"]
price_within = _names["price_within"]
loss_room = _names["loss_room"]
narrowed_price = _names["narrowed_price"]

reach_of = _names["reach_of"]
sampling_sound = _names["sampling_sound"]
observation_sound = _names["observation_sound"]
expiry_sound = _names["expiry_sound"]
fixing_first_ms = _names["fixing_first_ms"]
observed_next_ms = _names["observed_next_ms"]
listing_sound = _names["listing_sound"]
expiry_following = _names["expiry_following"]
strike_nearest = _names["strike_nearest"]
strike_number = _names["strike_number"]

fixing_newest_ms = _names["fixing_newest_ms"]
fixing_passed = _names["fixing_passed"]
fixing_takes = _names["fixing_takes"]
fixing_remaining = _names["fixing_remaining"]
fixing_forward = _names["fixing_forward"]
fixing_time_ms = _names["fixing_time_ms"]
fixing_deviation_fp = _names["fixing_deviation_fp"]
observed_newest_ms = _names["observed_newest_ms"]
observation_takes = _names["observation_takes"]
return_square = _names["return_square"]
return_square_expected = _names["return_square_expected"]
observations_left = _names["observations_left"]
part_edge_fp = _names["part_edge_fp"]
fixing_part = _names["fixing_part"]
delta_of = _names["delta_of"]
gamma_of = _names["gamma_of"]
vega_of = _names["vega_of"]
mean_towards_zero = _names["mean_towards_zero"]
premium_step = _names["premium_step"]
requirement_within = _names["requirement_within"]
margin_time_ms = _names["margin_time_ms"]
fixing_whole = _names["fixing_whole"]
unfixed_ppm = _names["unfixed_ppm"]
expected_fix = _names["expected_fix"]
around_mark = _names["around_mark"]
exposure_e6 = _names["exposure_e6"]
fixing_least = _names["fixing_least"]
