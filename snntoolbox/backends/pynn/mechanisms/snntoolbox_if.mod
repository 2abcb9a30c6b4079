COMMENT
Integrate-and-fire on discrete steps: m <- leak*m + input; a spike where m >= vth; then the reset.

All events that arrive between two ticks of the cell's own clock add up in g, whatever their sign and order, before
the threshold is looked at; those through synapses with apart = 1 in h. These feed currents that fade, each keeping the
share excites or inhibits of itself in a step. While refractory input is dropped and no spike is fired.
In its own step n, counted from 0, input and threshold count 2^(digits - 1 - n mod digits) * (lead - n mod lead) times, and there
is a spike only from step opens to before step closes. Where turns is above 0, windows of as many digits as they have steps end
before the first turns of `ends`, and step n counts 2^(e - 1 - n) times, e being the first end above n. timed is a bias more before step until.
mode 0: m <- m - vth; 1: m <- vreset; 2: m <- m - vth*floor(m/vth).
ENDCOMMENT

NEURON {
    ARTIFICIAL_CELL SNNToolboxIF
    RANGE m, g, waiting, vth, vreset, start, bias, leak, refractory, mode, first
    RANGE timed, until, opens, closes, digits, turns, turn, lead, own
    GLOBAL ends
    RANGE h, excited, inhibited, excites, inhibits
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
    turns = 0
    lead = 1
    excites = 0
    inhibits = 0
}

ASSIGNED {
    m
    g
    waiting
    own
    turn
    ends[1024]
    h
    excited
    inhibited
}

INITIAL {
    own = 0
    turn = 0
    m = start
    g = 0
    h = 0
    excited = 0
    inhibited = 0
    waiting = 0
    net_send(first, 1)
}

NET_RECEIVE (w, apart) {
    LOCAL weight, height, given
    INITIAL {
        : without this block NEURON sets apart to 0 at the start
    }
    if (flag == 1) {
        if (turns > 0) {
            if (turn < turns - 1) {
                if (own >= ends[turn]) {
                    turn = turn + 1
                }
            }
            weight = 2^(ends[turn] - 1 - own)
        } else {
            weight = 2^(digits - 1 - fmod(own, digits))*(lead - fmod(own, lead))
        }
        height = vth*weight
        excited = excites*excited + (1 - excites)*g
        inhibited = inhibits*inhibited + (1 - inhibits)*h
        given = excited + inhibited + bias
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
        h = 0
        own = own + 1
        net_send(1, 1)
    } else if (apart > 0) {
        h = h + w
    } else {
        g = g + w
    }
}
