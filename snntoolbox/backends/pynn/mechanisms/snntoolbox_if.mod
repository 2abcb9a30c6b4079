COMMENT
Integrate-and-fire on discrete steps: m <- leak*m + input; a spike where m >= vth; then the reset.

All events that arrive between two ticks of the cell's own clock add up in g, whatever their sign and order, before
the threshold is looked at. While refractory input is dropped and no spike is fired.
mode 0: m <- m - vth; 1: m <- vreset; 2: m <- m - vth*floor(m/vth).
ENDCOMMENT

NEURON {
    ARTIFICIAL_CELL SNNToolboxIF
    RANGE m, g, waiting, vth, vreset, start, bias, leak, refractory, mode, first
}

PARAMETER {
    vth = 1
    vreset = 0
    start = 0
    bias = 0
    leak = 1
    refractory = 0
    mode = 0
    first = 0 (ms)
}

ASSIGNED {
    m
    g
    waiting
}

INITIAL {
    m = start
    g = 0
    waiting = 0
    net_send(first, 1)
}

NET_RECEIVE (w) {
    if (flag == 1) {
        m = leak*m
        if (waiting > 0) {
            waiting = waiting - 1
        } else {
            m = m + (g + bias)
            if (m >= vth) {
                if (mode == 0) {
                    m = m - vth
                } else if (mode == 1) {
                    m = vreset
                } else {
                    m = m - vth*floor(m/vth)
                }
                waiting = refractory
                net_event(t)
            }
        }
        g = 0
        net_send(1, 1)
    } else {
        g = g + w
    }
}
