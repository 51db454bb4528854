------------------------------ MODULE Simplex ------------------------------
(* The voting rules of ordering, section 1 of docs/CONSENSUS.md: what an    *)
(* honest replica may sign, and what the certificates then agree on.        *)
(*                                                                          *)
(* Only votes are modelled. Every leader may make every proposal; Byzantine *)
(* validators have signed everything from the start; the network delivers   *)
(* any subset of the votes, so an honest replica may hold any certificate   *)
(* that could be formed, or not. A state is what the honest have signed.    *)
(*                                                                          *)
(* sim/explorer.py searches the same states by asking the functions of      *)
(* ordering/rules.py in every context; here each rule stands with the       *)
(* context that favours it most, written down apart. Both find the same     *)
(* number of states.                                                        *)

EXTENDS Integers, Sequences, FiniteSets, TLC

CONSTANTS
    Honest,       \* replicas that follow the rules
    Amnesiac,     \* those of them that remember no vote of their own
    Heavy,        \* those of them that weigh two; the others weigh one
    Byzantine,    \* the weight of all that vote for everything
    Quorum,       \* the least weight of a certificate
    Views,        \* how many views
    Payloads,     \* what a leader can propose on each parent
    Corrupt,      \* those of the payloads that never certify
    SlotsFollow,  \* whether the slot is that of the certificate held (see below)
    Without,      \* names of conditions that are dropped: mutants
    With          \* names of conditions that are added

ASSUME /\ Amnesiac \subseteq Honest
       /\ Heavy \subseteq Honest
       /\ Corrupt \subseteq Payloads
       /\ SlotsFollow \in BOOLEAN

VARIABLE signed   \* for each honest replica the set of its votes

----------------------------------------------------------------------------
(* A proposal is the chain of its blocks, genesis being the empty one.      *)

RECURSIVE Chains(_)
Chains(v) ==
    IF v = 0 THEN {<<>>}
    ELSE LET below == Chains(v - 1) IN
         below \cup {Append(c, [view |-> v, payload |-> p]) : c \in below, p \in Payloads}

Genesis   == <<>>
Proposals == Chains(Views) \ {Genesis}
Last(P)   == P[Len(P)]
View(P)   == IF P = Genesis THEN 0 ELSE Last(P).view
Parent(P) == SubSeq(P, 1, Len(P) - 1)
Certifies(P)    == Last(P).payload \notin Corrupt
Between(P)      == (View(Parent(P)) + 1) .. (View(P) - 1)
OnOneChain(P, Q) == LET short == IF Len(P) < Len(Q) THEN P ELSE Q
                        long  == IF Len(P) < Len(Q) THEN Q ELSE P
                    IN SubSeq(long, 1, Len(short)) = short

Notarize(P) == <<"notarize", View(P), P>>
Nullify(v)  == <<"nullify", v, Genesis>>
Finalize(P) == <<"finalize", View(P), P>>
Votes == {Notarize(P) : P \in Proposals} \cup {Finalize(P) : P \in Proposals}
         \cup {Nullify(v) : v \in 1 .. Views}

----------------------------------------------------------------------------
(* Certificates that could be formed, and what a replica knows of itself.   *)

Weight(S) == Cardinality(S) + Cardinality(S \cap Heavy)
Certified(vote) == Weight({r \in Honest : vote \in signed[r]}) + Byzantine >= Quorum
Memory(r) == IF r \in Amnesiac THEN {} ELSE signed[r]
Mine(r, kind, v) == {vote[3] : vote \in {m \in Memory(r) : m[1] = kind /\ m[2] = v}}
Holds(name, condition) == name \in Without \/ condition

(* SlotsFollow: the slot holds the proposal of the notarization, and a      *)
(* replica whose own notarize was for another one marks it as equivocated.  *)
(* Agreement does not need it. It keeps the honest out of the evidence.     *)
SameSlot(r, kind, P) == SlotsFollow => Mine(r, kind, View(P)) \subseteq {P}

----------------------------------------------------------------------------
(* The three guards and ancestry.                                           *)

Settled(P) ==
    /\ Holds("parent",
             \/ Parent(P) = Genesis
             \/ Certified(Finalize(Parent(P)))
             \/ Certified(Notarize(Parent(P)))
                /\ Holds("parent certify", Certifies(Parent(P))))
    /\ Holds("gap", \A v \in Between(P) : Certified(Nullify(v)))

MayNotarize(r, P) ==
    /\ Holds("notarize once", Mine(r, "notarize", View(P)) = {})
    /\ "notarize before nullify" \in With => Mine(r, "nullify", View(P)) = {}
    /\ Settled(P)
    /\ SameSlot(r, "finalize", P)

MayNullify(r, v) ==
    Holds("nullify before finalize", Mine(r, "finalize", v) = {})

MayFinalize(r, P) ==
    /\ Holds("finalize once", Mine(r, "finalize", View(P)) = {})
    /\ Holds("finalize before nullify", Mine(r, "nullify", View(P)) = {})
    /\ Certified(Notarize(P))
    /\ Holds("certify", Certifies(P))
    /\ Holds("equivocated", SameSlot(r, "notarize", P))

Sign(r, vote) ==
    /\ vote \notin signed[r]
    /\ signed' = [signed EXCEPT ![r] = @ \cup {vote}]

Init == signed = [r \in Honest |-> {}]

Next == \E r \in Honest :
    \/ \E P \in Proposals : MayNotarize(r, P) /\ Sign(r, Notarize(P))
    \/ \E v \in 1 .. Views : MayNullify(r, v) /\ Sign(r, Nullify(v))
    \/ \E P \in Proposals : MayFinalize(r, P) /\ Sign(r, Finalize(P))

Spec == Init /\ [][Next]_signed

(* Replicas of one weight and memory differ by name alone.                  *)
Symmetry == Permutations(Honest \ (Heavy \cup Amnesiac))
            \cup Permutations(Heavy \ Amnesiac)
            \cup Permutations(Amnesiac \ Heavy)

----------------------------------------------------------------------------
(* Invariants.                                                              *)

TypeOK == signed \in [Honest -> SUBSET Votes]

Notarized == {P \in Proposals : Certified(Notarize(P))}
Finalized == {P \in Proposals : Certified(Finalize(P))}
Nullified == {v \in 1 .. Views : Certified(Nullify(v))}

I1 == \A P, Q \in Notarized : View(P) = View(Q) => P = Q
I2 == \A P \in Finalized : View(P) \notin Nullified
I3 == Finalized \subseteq Notarized
I4 == \A P \in Notarized : /\ Parent(P) \in Notarized \cup {Genesis}
                           /\ Between(P) \subseteq Nullified
I5 == \A P, Q \in Finalized : OnOneChain(P, Q)
I7 == \A P \in Finalized : \A k \in 1 .. Len(P) : P[k].payload \notin Corrupt

(* I6: what the honest sign never convicts them. For SlotsFollow = TRUE.    *)
Evidence(a, b) ==
    /\ a[2] = b[2]
    /\ a # b
    /\ \/ {a[1], b[1]} = {"nullify", "finalize"}
       \/ a[1] # "nullify" /\ b[1] # "nullify" /\ a[3] # b[3]
I6 == \A r \in Honest \ Amnesiac : \A a, b \in signed[r] : ~Evidence(a, b)

Safety == I1 /\ I2 /\ I3 /\ I4 /\ I5 /\ I7
============================================================================
