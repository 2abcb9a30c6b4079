"""Recurrent layers of Keras, in the combinations that matter."""

import itertools

from keras import layers as L  # noqa: N812


def _cells(units=3, **settings):
    return L.SimpleRNN(units, activation="relu", **settings)


def _stack(**settings):
    cells = [L.SimpleRNNCell(3, activation="relu"), L.SimpleRNNCell(2, use_bias=False)]
    return L.RNN(cells, **settings)


def _both(**settings):
    return L.Bidirectional(_cells(return_sequences=True), **settings)


SINGLE = {
    **{
        f"rnn_{'seq' if seq else 'last'}_{'back' if back else 'on'}_{'bias' if bias else 'no_bias'}": (
            (4, 2),
            lambda seq=seq, back=back, bias=bias: _cells(return_sequences=seq, go_backwards=back, use_bias=bias),
        )
        for seq, back, bias in itertools.product((False, True), repeat=3)
    },
    "rnn_one_step": ((1, 2), lambda: _cells(return_sequences=True)),
    "rnn_tanh": ((3, 2), lambda: L.SimpleRNN(2)),
    "rnn_bounded": ((3, 2), lambda: L.SimpleRNN(2, activation="hard_sigmoid")),
    "rnn_unrolled": ((3, 2), lambda: _cells(unroll=True, dropout=0.5, recurrent_dropout=0.5)),
    "rnn_stack": ((4, 2), lambda: _stack(return_sequences=True)),
    "rnn_stack_back": ((4, 2), lambda: _stack(return_sequences=True, go_backwards=True)),
    "rnn_one_cell": ((4, 2), lambda: L.RNN(L.SimpleRNNCell(3, activation="relu"))),
    **{f"rnn_both_{m}": ((4, 2), lambda m=m: _both(merge_mode=m)) for m in ("concat", "sum", "ave")},
    "rnn_both_last": ((4, 2), lambda: L.Bidirectional(_cells())),
    "rnn_both_stack": ((4, 2), lambda: L.Bidirectional(_stack(return_sequences=True))),
    "rnn_both_own": (
        (4, 2),
        lambda: _both(backward_layer=L.SimpleRNN(2, activation="relu", go_backwards=True, return_sequences=True)),
    ),
    "lstm_seq": ((4, 2), lambda: L.LSTM(3, return_sequences=True)),
    "lstm_back": ((4, 2), lambda: L.LSTM(3, go_backwards=True, use_bias=False, recurrent_activation="hard_sigmoid")),
    "gru_seq": ((4, 2), lambda: L.GRU(3, return_sequences=True)),
    "gru_before": ((4, 2), lambda: L.GRU(3, reset_after=False, activation="relu")),
    "gru_plain": ((4, 2), lambda: L.GRU(3, use_bias=False, dropout=0.2, recurrent_dropout=0.2)),
    "gru_plain_before": ((1, 2), lambda: L.GRU(3, use_bias=False, reset_after=False)),
    "gates_both": ((4, 2), lambda: L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="sum")),
    "gates_both_own": ((4, 2), lambda: L.Bidirectional(L.GRU(3), backward_layer=L.LSTM(2, go_backwards=True))),
    "gates_both_unlike": (
        (3, 2),
        lambda: L.Bidirectional(L.LSTM(2), backward_layer=L.LSTM(2, use_bias=False, go_backwards=True)),
    ),
    "gates_stack": ((3, 2), lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2), L.LSTMCell(2)], return_sequences=True)),
    "each_dense": ((4, 2), lambda: L.TimeDistributed(L.Dense(3, activation="relu"))),
    "each_conv": ((3, 5, 5, 2), lambda: L.TimeDistributed(L.Conv2D(2, 3, padding="same", activation="relu"))),
    "each_pool": ((3, 4, 4, 2), lambda: L.TimeDistributed(L.MaxPooling2D())),
    "each_norm": ((3, 4), lambda: L.TimeDistributed(L.BatchNormalization())),
    "each_flat": ((3, 2, 2), lambda: L.TimeDistributed(L.Flatten())),
}


def _encoder(x):
    last, state = _cells(return_state=True)(x)
    return L.Dense(2)(_cells(return_sequences=True)(L.RepeatVector(3)(last), initial_state=state))


def _gated_encoder(x):
    _, *states = L.LSTM(3, return_state=True)(x)
    hidden = L.LSTM(3, return_sequences=True)(L.RepeatVector(2)(states[0]), initial_state=states)
    return L.TimeDistributed(L.Dense(2))(hidden)


COMBINED = {
    "rnn_layers": (((4, 2),), lambda x: L.Dense(2)(_cells()(_cells(2, return_sequences=True)(x)))),
    "rnn_layers_both": (((4, 2),), lambda x: L.Bidirectional(_cells())(_both()(x))),
    "rnn_states": (((4, 2),), lambda x: list(_stack(return_sequences=True, return_state=True)(x))),
    "rnn_states_both": (((4, 2),), lambda x: list(_both_states()(x))),
    "lstm_states": (((4, 2),), lambda x: list(L.LSTM(3, return_state=True)(x))),
    "lstm_states_both": (((4, 2),), lambda x: list(L.Bidirectional(L.LSTM(3, return_state=True))(x))),
    "gru_states_apart": (((4, 2),), lambda x: list(_apart(return_sequences=True, return_state=True)(x))),
    "gru_apart": (((4, 2),), lambda x: list(_apart()(x))),
    "lstm_given_states": (((4, 2), (3,), (3,)), lambda x, h, c: L.LSTM(3)(x, initial_state=[h, c])),
    "gru_given_state": (((4, 2), (3,)), lambda x, h: L.GRU(3, reset_after=False)(x, initial_state=h)),
    "gates_encoder": (((4, 2),), _gated_encoder),
    "rnn_given_state": (((4, 2), (3,)), lambda x, h: _cells()(x, initial_state=h)),
    "rnn_given_states": (((4, 2), (3,)), lambda x, h: L.Bidirectional(_cells())(x, initial_state=[h, h])),
    "rnn_encoder": (((4, 2),), _encoder),
    "rnn_frames": (
        ((3, 4, 4, 1),),
        lambda x: _cells()(L.TimeDistributed(L.Flatten())(L.TimeDistributed(L.Conv2D(2, 3, activation="relu"))(x))),
    ),
}


def _apart(**settings):
    return L.Bidirectional(L.GRU(3, **settings), merge_mode=None)


def _both_states():
    return L.Bidirectional(_cells(return_sequences=True, return_state=True))
