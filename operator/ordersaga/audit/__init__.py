"""`ordersaga audit`: do money, stock, shipments, messages and the providers' ledgers balance, order by order?"""
