COMMENT
Integrate-and-fire on discrete steps: m <- leak*m + input; a spike where m >= vth; then the reset.

All events that arrive between two ticks of the cell's own clock add up in g, whatever their sign and order, before
the threshold is looked at. While refractory input is dropped and no spike is fired.
In its own step n, counted from 0, input and threshold count 2^(digits - 1 - n mod digits) * (lead - n mod lead) times, and there
is a spike only from step opens to before step closes; timed is a bias more before step until.
mode 0: m <- m - vth; 1: m <- vreset; 2: m <- m - vth*floor(m/vth).
ENDCOMMENT

NEURON {
    ARTIFICIAL_CELL SNNToolboxIF
    RANGE m, g, waiting, vth, vreset, start, bias, leak, refractory, mode, first
    RANGE timed, until, opens, closes, digits, lead, own
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
    timed = 0
    until = 0
    opens = 0
    closes = 1e12
    digits = 1
    lead = 1
}

ASSIGNED {
    m
    g
    waiting
    own
}

INITIAL {
    own = 0
    m = start
    g = 0
    waiting = 0
    net_send(first, 1)
}

NET_RECEIVE (w) {
    LOCAL weight, height, given
    if (flag == 1) {
        weight = 2^(digits - 1 - fmod(own, digits))*(lead - fmod(own, lead))
        height = vth*weight
        given = g + bias
        if (own < until) {
            given = given + timed
        }
        m = leak*m
        if (waiting > 0) {
            waiting = waiting - 1
        } else {
            m = m + weight*given
            if (m >= height && own >= opens && own < closes) {
                if (mode == 0) {
                    m = m - height
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
        own = own + 1
        net_send(1, 1)
    } else {
        g = g + w
    }
}
