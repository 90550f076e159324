"""Money for people: an integer in minor units and a currency become "25.00 EUR"."""

_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

_DECIMALS = {
    currency: decimals
    for decimals, currencies in ((0, _NO_DECIMALS), (3, _THREE_DECIMALS), (4, _FOUR_DECIMALS))
    for currency in currencies.split()
}


def parts_of(minor: int, currency: str) -> tuple[str, str, str]:
    """Sign, whole units and decimals: `parts_of(-2505, "EUR")` is ("-", "25", "05"), and of yen the last is empty."""
    decimals = _DECIMALS.get(currency, 2)
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    return "-" if minor < 0 else "", digits[: len(digits) - decimals], digits[len(digits) - decimals :]


def format_money(minor: int, currency: str) -> str:
    """`format_money(2500, "EUR")` is "25.00 EUR"; the decimals are those of ISO 4217."""
    sign, whole, decimals = parts_of(minor, currency)
    return f"{sign}{whole}{'.' if decimals else ''}{decimals} {currency}"
